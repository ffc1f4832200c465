package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

func newKubeconfigCommand(w world) *cobra.Command {
	var o useOptions
	file := ""
	cmd := &cobra.Command{
		Use:   "kubeconfig [NAME]",
		Short: "Print a kubeconfig that uses a grant",
		Long: `Print your kubeconfig, cut down to its current context, that acts as the identity of the
grant NAME, as its policy's mode Impersonate wants it. It holds what yours holds, credentials too: keep it as
you keep yours. When the grant is over, so is what the kubeconfig gives.

` + useHelp,
		Example: `  pullgrant kubeconfig 20261122-alice-inc-123 -f grant.yaml
  KUBECONFIG=grant.yaml kubectl get pods`,
		Args: arguments(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.complete(cmd, w, args); err != nil {
				return err
			}
			u, err := o.find(cmd.Context(), w)
			if err != nil {
				return err
			}
			data, err := o.actingAs(u.user)
			if err != nil {
				return err
			}
			if file != "" {
				return writePrivate(file, data)
			}
			if _, err := w.out.Write(data); err != nil {
				return fmt.Errorf("write the kubeconfig: %w", err)
			}
			return nil
		},
	}
	o.flags(cmd)
	cmd.Flags().StringVarP(&file, "file", "f", "", "write it there, for you alone to read")
	return cmd
}

// actingAs is the user's own kubeconfig, no more of it than the current context, that acts as user;
// as themselves where user is empty.
func (o useOptions) actingAs(user string) ([]byte, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.kubeconfig
	config, err := rules.Load() // with the paths in it made absolute
	if err != nil {
		return nil, fmt.Errorf("read your kubeconfig: %w", err)
	}
	if err := api.MinifyConfig(config); err != nil {
		return nil, fmt.Errorf("read your kubeconfig: %w", err)
	}
	for _, own := range config.AuthInfos {
		if user != "" {
			own.Impersonate = user
		}
	}
	data, err := clientcmd.Write(*config)
	if err != nil {
		return nil, fmt.Errorf("write the kubeconfig: %w", err)
	}
	return data, nil
}

// writePrivate puts a file in place that only its owner can read, whoever could read the one that
// it replaces.
func writePrivate(file string, data []byte) error {
	name, err := writeTemporary(filepath.Dir(file), data)
	if err == nil {
		if err = os.Rename(name, file); err != nil {
			_ = os.Remove(name)
		}
	}
	if err != nil {
		return fmt.Errorf("write the kubeconfig: %w", err)
	}
	return nil
}

// writeTemporary writes a new file in a folder, the machine's own where that is empty.
func writeTemporary(folder string, data []byte) (name string, err error) {
	f, err := os.CreateTemp(folder, program+"-*.yaml") // 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return f.Name(), err
}
