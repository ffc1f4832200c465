package kube

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"k8s.io/client-go/rest"
)

// Audit starts the API server again so that it tells of what an audit policy says, as flags have it.
// restore starts it again as it was.
func (cp *ControlPlane) Audit(ctx context.Context, policy []byte, to *rest.Config, flags ...string) (
	restore func(context.Context) error, err error) {
	policyFile := filepath.Join(cp.Dir, "audit-policy.yaml")
	if err := os.WriteFile(policyFile, policy, 0o600); err != nil {
		return nil, fmt.Errorf("writing the audit policy: %w", err)
	}
	webhookFile := filepath.Join(cp.Dir, "audit-webhook.kubeconfig")
	if err := cp.Kubeconfig(webhookFile, to); err != nil {
		return nil, err
	}
	before := cp.APIServer.args
	again := func(ctx context.Context, args []string) error {
		if err := cp.APIServer.Kill(); err != nil {
			return err
		}
		cp.APIServer.args = args
		return cp.APIServer.Start(ctx)
	}
	return func(ctx context.Context) error { return again(ctx, before) },
		again(ctx, slices.Concat(before, []string{
			"--audit-policy-file=" + policyFile,
			"--audit-webhook-config-file=" + webhookFile,
			"--audit-webhook-initial-backoff=100ms",
		}, flags))
}
