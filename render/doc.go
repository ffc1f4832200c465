// Package render is what will exist: it turns a Grant into the RoleBindings the cluster gets, through kustomize in
// memory, and refuses every result that is not exactly what the grant says.
//
// It is pure: it imports no clock, operating system or network.
package render
