package monitor

// Results of sending messages to the channels that policies name.
const (
	MessageSent   = "sent"
	MessageFailed = "failed" // a try; another follows
	// MessageLost is given up: the channel failed for an hour, too many wait for it, or its mail server refused
	// some of the recipients.
	MessageLost = "lost"
)

// MessageResults lists them.
var MessageResults = []string{MessageSent, MessageFailed, MessageLost}

// Told counts what came of a message, or of one try.
func (m *Metrics) Told(result string) { m.messages.WithLabelValues(result).Inc() }

// ToTell notes how many messages wait.
func (m *Metrics) ToTell(n int) { m.untold.Set(float64(n)) }
