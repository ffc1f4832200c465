package simulation

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestFaultsAreTold: the page of faults has a row of each, and of no other one.
func TestFaultsAreTold(t *testing.T) {
	page, err := os.ReadFile("../../docs/faults.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "\n## The whole agent in virtual time\n")
	if !found {
		t.Fatal("the page has no section of the simulation")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var told []string
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*?`) \\|").FindAllStringSubmatch(section, -1) {
		for name := range strings.SplitSeq(row[1], ", ") {
			told = append(told, strings.Trim(name, "`"))
		}
	}
	all := maps.Clone(everything)
	for name := range shapes { // which break nothing
		delete(all, name)
	}
	slices.Sort(told)
	if want := slices.Sorted(maps.Keys(all)); !slices.Equal(told, want) {
		t.Errorf("the page tells of\n%q\nand there are\n%q", told, want)
	}
}
