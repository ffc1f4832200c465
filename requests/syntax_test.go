package requests_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/requests"
)

// TestSyntaxErrorFarAbove: a fault that is too far above where reading failed is told where the YAML
// library says, and no file makes finding it expensive.
func TestSyntaxErrorFarAbove(t *testing.T) {
	err := errors.New("yaml: line 3: found unexpected end of stream")
	for _, long := range []int{10, 5_000, 500_000} {
		data := "a: b\nb: c\nc: \"" + strings.Repeat("x\n", long)
		if line, what := requests.YAMLError(err, []byte(data)); line != 3 ||
			what != "found unexpected end of stream" {
			t.Errorf("line %d, %q with %d lines after it", line, what, long)
		}
	}
}
