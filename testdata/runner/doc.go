// Package runner holds tests that run the workflows `pullgrant init` writes, and action.yml with
// them, by a real runner of GitHub Actions: nektos/act, on this machine and without Docker, against
// the GitHub on loopback of testdata/forge.
//
// The tests play what is GitHub's part and not the runner's: which events start a workflow, from
// which commit its file is taken, and who gets the App's key. Stand-ins for actions of GitHub's own
// are in standins.
package runner
