package messages

import (
	"context"
	"errors"
	"slices"
	gosync "sync"
	"time"

	"github.com/pullgrant/pullgrant/internal/notify"
	"github.com/pullgrant/pullgrant/sync/monitor"
)

const (
	// between is the time from one message to the next one in a channel: Slack asks for a second
	// (https://docs.slack.dev/apis/web-api/rate-limits), and others for less.
	between  = time.Second
	sendTime = 10 * time.Second // of one try
	lastTime = time.Second      // what is being sent or noted when a term ends may take that long
	// flushTime bounds what one pass alone waits for channels.
	flushTime = 30 * time.Second

	firstPause = 5 * time.Second // after a try that failed; twice as long after each next one
	longPause  = 5 * time.Minute
)

// repeated comes before what may have arrived already.
const repeated = "Perhaps a repeat: "

// run sends until ctx ends.
func (k *Keeper) run(ctx context.Context) {
	var sending gosync.WaitGroup
	ticker := time.NewTicker(between)
	defer ticker.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-ticker.C:
			k.send(ctx, &sending)
		}
	}
	sending.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastTime)
	defer cancel()
	k.Keep(last) // another replica may lead by now: then it is refused
}

// Flush sends what is due, for as long as flushTime.
func (k *Keeper) Flush(ctx context.Context) {
	if k == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, flushTime)
	defer cancel()
	for more := true; more; {
		var sending gosync.WaitGroup
		more = k.send(ctx, &sending)
		sending.Wait()
	}
	k.Keep(context.WithoutCancel(ctx))
}

// send begins to send to each channel that is free the message that is due. It tells whether there
// was any.
func (k *Keeper) send(ctx context.Context, sending *gosync.WaitGroup) bool {
	claimed := k.claim()
	if !k.Keep(ctx) {
		k.leave(claimed)
		return false
	}
	for _, c := range claimed {
		sending.Go(func() { k.deliver(ctx, c) })
	}
	return len(claimed) > 0
}

// claim is a message that is about to be sent.
type claim struct {
	*message
	unsure bool // it may have arrived before
}

// claim takes what is due, and notes that it is being sent.
func (k *Keeper) claim() (all []claim) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.state == nil {
		return nil
	}
	k.settle()
	for _, m := range k.state.due(k.busy, k.now()) {
		all = append(all, claim{m, m.Unsure})
		m.Unsure, k.busy[m.Channel], k.changed = true, true, true
	}
	return all
}

// leave takes claims back: nothing was sent.
func (k *Keeper) leave(all []claim) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range all {
		c.Unsure = c.unsure
		delete(k.busy, c.Channel)
	}
}

// deliver sends one message, and notes at once when its channel has it.
func (k *Keeper) deliver(ctx context.Context, c claim) {
	content := c.Content
	if c.unsure {
		content.Happened = repeated + content.Happened
	}
	sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTime)
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(lastTime, cancel) })()
	err := k.channels.Send(sending, c.Channel, content)
	log := k.log.With("channel", c.Channel, "request", content.Request, "what", content.Event)
	switch k.delivered(c, err); {
	case errors.Is(err, notify.ErrPartly):
		log.Error("not everybody could be told", "error", err.Error())
	case err != nil:
		log.Error("it could not be told; trying again for an hour", "error", err.Error())
		return
	default:
		log.Info("told")
	}
	noting, stop := context.WithTimeout(context.WithoutCancel(ctx), lastTime)
	defer stop()
	k.Keep(noting)
}

// delivered frees the channel. A message that its channel did not take is tried again; but for one
// that nobody was sent, it may have arrived all the same.
func (k *Keeper) delivered(c claim, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.busy, c.Channel)
	k.changed = true
	if err == nil || errors.Is(err, notify.ErrPartly) {
		k.state.Queue = slices.DeleteFunc(k.state.Queue,
			func(m *message) bool { return m == c.message })
		result := monitor.MessageSent
		if err != nil {
			result = monitor.MessageLost // for those whom the channel refuses
		}
		k.metrics.Told(result)
		return
	}
	c.Unsure = c.unsure || !errors.Is(err, notify.ErrUnknown)
	c.pause = min(max(2*c.pause, firstPause), longPause)
	c.next = k.now().Add(c.pause)
	k.metrics.Told(monitor.MessageFailed)
}
