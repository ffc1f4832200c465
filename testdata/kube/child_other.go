//go:build !linux

package kube

import "syscall"

// childAttributes leave the child in this process's group: without a parent-death signal the
// terminal's Ctrl-C must reach it.
func childAttributes() *syscall.SysProcAttr { return nil }
