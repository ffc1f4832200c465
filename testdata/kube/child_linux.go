package kube

import "syscall"

// childAttributes end the child with this process however that dies, and keep the terminal's Ctrl-C
// from it, so that the program that owns the control plane decides when it ends.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
