// Package codeowners reads CODEOWNERS files and matches paths against them as GitHub does, or
// refuses where GitHub's reading could be another (R28–R34). It is pure.
package codeowners
