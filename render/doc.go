// Package render is what will exist: it turns a Grant into the RoleBindings the cluster gets,
// through kustomize in memory, and refuses every result that is not exactly what the grant says;
// and into the Jobs that end them when no agent is left to. It also renders what the agent itself
// needs in a cluster: its rights, the fence around them, what runs.
//
// It is pure: it imports no clock, operating system or network.
package render
