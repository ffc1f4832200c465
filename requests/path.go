package requests

import "strings"

// Folders of the access repository.
const (
	Folder            = "requests"
	RevocationsFolder = "revocations"
)

// Place is what the path of a request or ledger file says.
type Place struct {
	Cluster string
	Policy  string // of a request
	Day     string // of a ledger entry: yyyymmdd, the day in the name
	Name    string
}

// SplitPath reads requests/<cluster>/<policy>/<name>.yaml. ok is false for every other path.
func SplitPath(path string) (place Place, ok bool) {
	cluster, policy, name, ok := split(path, Folder)
	return Place{Cluster: cluster, Policy: policy, Name: name}, ok
}

// SplitRevocationPath reads revocations/<cluster>/<yyyymmdd>/<name>.yaml, where the day is the
// name's own.
func SplitRevocationPath(path string) (place Place, ok bool) {
	cluster, day, name, ok := split(path, RevocationsFolder)
	return Place{Cluster: cluster, Day: day, Name: name}, ok && strings.HasPrefix(name, day+"-") &&
		len(day) == 8
}

// Path is where a request stands.
func Path(cluster, policy, name string) string {
	return Folder + "/" + cluster + "/" + policy + "/" + name + ".yaml"
}

// RevocationPath is where the ledger entry of a request stands. name must have passed
// CheckRequestName or come from SplitPath with a dated name.
func RevocationPath(cluster, name string) string {
	day, _, _ := strings.Cut(name, "-")
	return RevocationsFolder + "/" + cluster + "/" + day + "/" + name + ".yaml"
}

// factsSuffix takes the place of .yaml in the name of the facts beside a ledger entry.
const factsSuffix = ".facts.json"

// FactsPath is where the facts stand that the request of a ledger entry was judged by.
func FactsPath(entry string) string { return strings.TrimSuffix(entry, ".yaml") + factsSuffix }

// SplitFactsPath gives the ledger entry that a file of facts stands beside. ok is false for every
// other path.
func SplitFactsPath(path string) (entry string, ok bool) {
	base, isFacts := strings.CutSuffix(path, factsSuffix)
	entry = base + ".yaml"
	_, ok = SplitRevocationPath(entry)
	return entry, ok && isFacts
}

func split(path, folder string) (first, second, name string, ok bool) {
	parts := strings.Split(path, "/")
	if len(parts) != 4 || parts[0] != folder {
		return "", "", "", false
	}
	name, isYAML := strings.CutSuffix(parts[3], ".yaml")
	ok = isYAML && CheckName(parts[1]) == "" && CheckName(parts[2]) == "" &&
		len(name) <= MaxRequestName && requestPattern.MatchString(name)
	return parts[1], parts[2], name, ok
}
