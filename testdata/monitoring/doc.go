// Package monitoring holds the rules and the dashboard of docs/monitoring to Prometheus' own
// parser and to what the agent exports. It is a module of its own: nothing but these tests needs
// Prometheus, the server.
package monitoring
