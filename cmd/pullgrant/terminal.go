package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	tea "charm.land/bubbletea/v2"
	"charm.land/huh/v2"
	"charm.land/lipgloss/v2"
	"golang.org/x/term"
)

// terminal is where a person can answer. What is drawn on it is made plain before.
type terminal struct {
	in, out *os.File
	// lines has questions asked in lines of text, without moving the cursor or colour.
	lines bool
}

// errStopped is a person who ended the questions.
var errStopped = errors.New("stopped")

// newTerminal is nil where nobody is there to answer: input and talk must both be a terminal.
func newTerminal(w world) *terminal {
	in, read := w.in.(*os.File)
	out, seen := w.err.(*os.File)
	if !read || !seen || !term.IsTerminal(int(in.Fd())) || !term.IsTerminal(int(out.Fd())) {
		return nil
	}
	return &terminal{in, out, w.env("TERM") == "dumb" || w.env("TERM") == ""}
}

// ask returns what a person answers; only answers in which the question finds nothing wrong.
func (t *terminal) ask(ctx context.Context, q question) (answer string, err error) {
	answer = q.value
	if len(q.choices) == 0 {
		return answer, t.run(ctx, q, huh.NewInput().Title(plain(q.title)).Description(plain(q.about)).
			Validate(func(text string) error { return problemOf(q.check, text) }).Value(&answer))
	}
	const most = 12 // lines of choices
	longest := 0
	for _, c := range q.choices {
		longest = max(longest, columns(c.value))
	}
	var all []huh.Option[string]
	for _, c := range q.choices {
		label := c.value
		if c.about != "" {
			label = fmt.Sprintf("%-*s  %s", longest, c.value, c.about)
		}
		all = append(all, huh.NewOption(oneLine(plain(label)), c.value))
	}
	return answer, t.run(ctx, q, huh.NewSelect[string]().Title(plain(q.title)).Options(all...).
		Height(1+min(len(all), most)).Value(&answer))
}

// oneLine cuts a text that would go on in a second line of a list, of which it is one.
func oneLine(text string) string {
	const most = width - 6 // beside what marks it
	if all := []rune(text); len(all) > most {
		return string(all[:most-1]) + "…"
	}
	return text
}

func problemOf(check func(string) string, text string) error {
	if check == nil {
		return nil
	}
	if problem := check(text); problem != "" {
		return errors.New(plain(problem))
	}
	return nil
}

// confirm asks whether something is meant, which Enter says.
func (t *terminal) confirm(ctx context.Context, text string) (yes bool, err error) {
	yes = true
	return yes, t.run(ctx, question{}, huh.NewConfirm().Title(plain(text)).Value(&yes))
}

func (t *terminal) run(ctx context.Context, q question, field huh.Field) error {
	if t.lines {
		return t.inLines(ctx, q, field)
	}
	form := huh.NewForm(huh.NewGroup(field)).WithProgramOptions(tea.WithFilter(inOrder)).
		WithTheme(huh.ThemeFunc(look)).WithInput(t.in).WithOutput(t.out)
	err := form.RunWithContext(ctx)
	if errors.Is(err, huh.ErrUserAborted) || ctx.Err() != nil ||
		err == nil && form.State != huh.StateCompleted {
		return errStopped
	}
	return err
}

// inOrder has an interrupt end a question as an answer does: else what is drawn last may never be, and
// the question stays on the screen, or does not.
func inOrder(_ tea.Model, msg tea.Msg) tea.Msg {
	if _, is := msg.(tea.InterruptMsg); is {
		return tea.QuitMsg{}
	}
	return msg
}

// inLines asks without drawing. Whoever ends the input, or the program, answers nothing.
func (t *terminal) inLines(ctx context.Context, q question, field huh.Field) error {
	if q.about != "" {
		fmt.Fprintln(t.out, plain(q.about))
	}
	in := &untilEnd{Reader: t.in}
	done := make(chan error, 1)
	go func() {
		done <- field.WithTheme(huh.ThemeFunc(bare)).RunAccessible(t.out, in)
	}()
	select {
	case <-ctx.Done():
		return errStopped
	case err := <-done:
		if in.ended {
			return errStopped
		}
		return err
	}
}

// untilEnd notes that its input has ended.
type untilEnd struct {
	io.Reader
	ended bool
}

func (r *untilEnd) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.ended = r.ended || err != nil
	return n, err
}

// look goes by the terminal's own colours. None says anything alone.
func look(isDark bool) *huh.Styles {
	s := huh.ThemeBase(isDark)
	s.Focused.Title = lipgloss.NewStyle().Bold(true)
	s.Focused.Description = lipgloss.NewStyle().Faint(true)
	s.Focused.SelectSelector = s.Focused.SelectSelector.Foreground(lipgloss.Cyan)
	s.Focused.ErrorMessage = s.Focused.ErrorMessage.Foreground(lipgloss.Red)
	return s
}

func bare(bool) *huh.Styles { return new(huh.Styles) }
