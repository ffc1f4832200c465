package audit

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/pullgrant/pullgrant/requests"
)

// csvColumns are the heads of CSV, in their order, each with its cell.
var csvColumns = []struct {
	head string
	cell func(Row) string
}{
	{"name", func(r Row) string { return r.Name }},
	{"cluster", func(r Row) string { return r.Cluster }},
	{"policy", func(r Row) string { return r.Policy }},
	{"requester", func(r Row) string { return r.Requester }},
	{"subject", func(r Row) string { return r.Subject }},
	{"namespaces", func(r Row) string {
		if r.ClusterWide {
			return "*"
		}
		return strings.Join(r.Namespaces, " ")
	}},
	{"roles", func(r Row) string { return strings.Join(r.Roles, " ") }},
	{"from", func(r Row) string { return timeCell(r.From) }},
	{"until", func(r Row) string { return timeCell(r.Until) }},
	{"ended", func(r Row) string { return timeCell(r.Ended) }},
	{"cause", func(r Row) string { return r.Cause }},
	{"code", func(r Row) string { return r.Code }},
	{"ended_by", func(r Row) string { return strings.TrimPrefix(r.EndedBy, "@") }},
	{"approvers", func(r Row) string { return strings.Join(r.Approvers, " ") }},
	{"break_glass", func(r Row) string { return strconv.FormatBool(r.BreakGlass) }},
	{"pull_request", func(r Row) string {
		if r.PullRequest == 0 {
			return ""
		}
		return strconv.Itoa(r.PullRequest)
	}},
	{"reason", func(r Row) string { return r.Reason }},
	{"commit", func(r Row) string { return r.Commit }},
	{"path", func(r Row) string { return r.Path }},
	{"proof", func(r Row) string { return string(r.Proof) }},
	{"evidence", func(r Row) string { return r.Evidence }},
	{"granted_commit", func(r Row) string {
		if r.Granted == nil {
			return ""
		}
		return r.Granted.Commit
	}},
}

// WriteCSV writes rows as CSV (RFC 4180), below a line of heads. No cell is a formula to the
// programs that people open CSV with: one that would begin like one begins with ' instead.
func WriteCSV(w io.Writer, rows []Row) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	line := make([]string, len(csvColumns))
	for i, c := range csvColumns {
		line[i] = c.head
	}
	err := out.Write(line)
	for _, r := range rows {
		for i, c := range csvColumns {
			line[i] = guarded(c.cell(r))
		}
		if err == nil {
			err = out.Write(line)
		}
	}
	out.Flush()
	if err == nil {
		err = out.Error()
	}
	if err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	return nil
}

// guarded is a cell that no spreadsheet takes for a formula
// (https://owasp.org/www-community/attacks/CSV_Injection).
func guarded(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

func timeCell(t requests.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.String()
}
