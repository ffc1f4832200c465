// Package faults holds tests that break, for real, one part of a running pullgrant: the agent is
// its own program under its own ServiceAccount, before a real control plane, git and the GitHub on
// loopback of testdata/forge, in real time. Each test prints one row of the table in
// docs/faults.md.
package faults
