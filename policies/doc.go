// Package policies is what is allowed: AccessPolicy, identities, groups and CODEOWNERS as they
// stand in the access repository, the Facts GitHub told about one pull request, and Evaluate, which
// turns both into a Decision.
//
// It is pure: it imports no clock, operating system or network. The Action, the agent and the
// command line judge with this package and nothing else.
package policies
