// Package rbac is what Kubernetes roles allow: their rules as the catalogue of an access repository
// holds them, put into words for approvers, and what is dangerous in them. It is pure.
package rbac
