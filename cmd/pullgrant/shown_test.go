package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// shellBlocks are the blocks of a document of one language, joined.
func shellBlocks(text, language string) string {
	var all []string
	for _, block := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(
		text, -1) {
		all = append(all, block[1])
	}
	return strings.Join(all, "")
}

// runShown runs the blocks marked sh of a document as one script, after and before what a session
// prepares and looks at. Blocks marked bash speak to GitHub or wait for pods: these are read, not run.
func runShown(t *testing.T, document, before, after string, files ...txtar.File) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(top, document))
	if err != nil {
		t.Fatal(err)
	}
	script := shellBlocks(string(text), "sh")
	if script == "" {
		t.Fatalf("%s shows no commands", document)
	}
	if out, err := exec.CommandContext(t.Context(), "sh", "-n", "-c", shellBlocks(string(text),
		"bash")).CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", document, err, out)
	}
	// a test binary does not know its commit
	script = strings.ReplaceAll(script, "pullgrant init ", "pullgrant init --pin "+
		strings.Repeat("0123456789", 4)+" ")
	// kubectl restarts nothing twice in a second, which a script comes to
	script = strings.ReplaceAll(script, "kubectl -n pullgrant-system rollout restart",
		"sleep 1; kubectl -n pullgrant-system rollout restart")
	archive := txtar.Archive{Comment: []byte(before + "exec sh -ex shown.sh\n" + after),
		Files: append(files, txtar.File{Name: "shown.sh", Data: []byte(script)})}
	file := filepath.Join(t.TempDir(), strings.TrimSuffix(filepath.Base(document), ".md")+".txtar")
	if err := os.WriteFile(file, txtar.Format(&archive), 0o644); err != nil {
		t.Fatal(err)
	}
	runScripts(t, file)
}

// onACluster has a shell find the kubectl of a new cluster.
const onACluster = `cluster
mkdir bin
symlink bin/kubectl -> $KUBECTL
env PATH=$WORK${/}bin${:}$PATH
`

// TestSetupRuns follows docs/setup.md from an empty folder to an agent that has all it needs.
func TestSetupRuns(t *testing.T) {
	runShown(t, "docs/setup.md", onACluster+"exec git init -q .\nexec kubectl create namespace payments\n",
		`stdout '^the agent has|^deployment.apps/pullgrant-agent created$'
stderr '^the agent has in prod-eu what it needs, and nothing else$'
stderr '^checked 6 files, no findings$'
exists access/.github/pullgrant/ruleset.json
grep '^prod-eu namespaces="git" ssh-ed25519 ' allowed_signers
exec pullgrant codeowners --check --dir access
`, txtar.File{Name: "agent.private-key.pem", Data: []byte("key\n")})
}

// TestKeysRun changes every key that is in a cluster as docs/keys.md does, and looks at what the agent
// would be given, and at how long each signing key counts.
func TestKeysRun(t *testing.T) {
	installed := "exec sh -c 'pullgrant install --dir access --cluster prod-eu --image x@sha256:0 " +
		"--repo-url https://git.example.com/access.git --evidence branch | kubectl apply -f -'\n"
	runShown(t, "docs/keys.md", onACluster+"exec pullgrant init access --pin "+
		strings.Repeat("0123456789", 4)+"\nexec git init -q access\n"+commitAll("Start")+
		"exec kubectl create namespace payments\n"+installed+
		`exec ssh-keygen -q -t ed25519 -N '' -C prod-eu -f signing-key
env OPTIONS='namespaces="git",valid-after="20200101Z"'
exec sh -c 'echo "prod-eu $OPTIONS $(cat signing-key.pub)" >allowed_signers'
env KEYS='--from-file=app-key=old.pem --from-file=signing-key'
exec sh -c 'kubectl -n pullgrant-system create secret generic pullgrant-agent $KEYS'
cp signing-key old-key
`, `! cmp signing-key old-key
exec sh -c 'kubectl -n pullgrant-system get secret pullgrant-agent -o jsonpath={.data.signing-key} | base64 -d'
cmp stdout signing-key
exec sh -c 'kubectl -n pullgrant-system get secret pullgrant-agent -o jsonpath={.data.app-key} | base64 -d'
cmp stdout agent.new.private-key.pem
exec sh -c 'kubectl -n pullgrant-system get secret pullgrant-agent -o jsonpath={.data.webhook-secret} | base64 -d'
cmp stdout webhook-secret.new
exec kubectl -n pullgrant-system get deployment pullgrant-agent -o yaml
stdout 'kubectl.kubernetes.io/restartedAt: '
grep -count=1 '^prod-eu namespaces="git",valid-after="20200101Z",valid-before="2[0-9]*Z" ssh-ed25519 ' allowed_signers
grep -count=1 '^prod-eu namespaces="git",valid-after="2[0-9]*Z" ssh-ed25519 ' allowed_signers
`, txtar.File{Name: "old.pem", Data: []byte("old\n")},
		txtar.File{Name: "agent.new.private-key.pem", Data: []byte("new\n")})
}
