// Package requests is what is asked: the AccessRequest a person writes, the Grant it becomes and
// the Revocation that ends it, with the one strict YAML loader that CLI, Action and agent share.
//
// It is pure: it imports no clock, operating system or network. Time comes in as an argument, files
// as bytes or fs.FS.
package requests
