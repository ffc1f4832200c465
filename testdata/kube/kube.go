// Package kube runs a real Kubernetes control plane on loopback for the tests and the demo: etcd,
// kube-apiserver and kube-controller-manager as child processes of their own, each of which can be
// stopped, killed and started again.
//
// The controller manager matters: without it view, edit and admin are empty roles, Jobs never end
// and owned objects are never collected. There is no kubelet and no scheduler, so no Pod ever runs.
package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/restmapper"
)

// startLimit is how long one component may take until it is ready. It takes seconds; a busy CI
// machine takes more.
const startLimit = 2 * time.Minute

// Options of a control plane. The zero value is what a test wants.
type Options struct {
	// Bin are the folders with etcd, kube-apiserver, kube-controller-manager and kubectl; the first
	// that has a program provides it. Default: the folders listed in PULLGRANT_KUBE,
	// KUBEBUILDER_ASSETS, and what `make kube` built.
	Bin []string
	// Dir holds keys, data and logs and is kept. Default: a new temporary folder, which Stop
	// removes.
	Dir string
	// Log receives one line for each component that starts, stops or is killed. Default: none.
	Log io.Writer
}

// ControlPlane is a running Kubernetes without nodes, reachable on loopback only.
type ControlPlane struct {
	Etcd              *Component
	APIServer         *Component
	ControllerManager *Component

	Kubectl string // path of kubectl of the same version
	Dir     string // keys, data and one log file for each component
	URL     string // of the API server; stays the same when it is started again

	temporary bool
	authority *authority
	client    *kubernetes.Clientset                   // as system:masters
	mapper    *restmapper.DeferredDiscoveryRESTMapper // the resource of each kind that the API server serves
	applied   sync.Map                                // what came of an object that was applied, by its manifest
}

// Start brings up the control plane and returns when it can be worked with: the API server is
// ready, the built-in roles view, edit and admin are filled, and the namespace default has its
// ServiceAccount. ctx bounds the start, not the life of the control plane; that ends with Stop or,
// on Linux, with this process. Errors carry the end of the log of the component that did not come
// up; errors.Is(err, ErrNotBuilt) tells that programs are missing.
func Start(ctx context.Context, options Options) (*ControlPlane, error) {
	programs, err := findPrograms(options.Bin)
	if err != nil {
		return nil, err
	}
	cp := &ControlPlane{Dir: options.Dir, Kubectl: programs["kubectl"],
		temporary: options.Dir == ""}
	if cp.temporary {
		cp.Dir, err = os.MkdirTemp("", "pullgrant-kube-")
	} else {
		err = os.MkdirAll(cp.Dir, 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("making the control plane's folder: %w", err)
	}
	if options.Log == nil {
		options.Log = io.Discard
	}
	if err := cp.start(ctx, programs, options.Log); err != nil {
		return nil, errors.Join(err, cp.Stop())
	}
	return cp, nil
}

func (cp *ControlPlane) start(ctx context.Context, programs map[string]string,
	log io.Writer) error {
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	if cp.authority, err = newAuthority(cp.Dir); err != nil {
		return err
	}
	if err := cp.authority.writeServing(cp.Dir); err != nil {
		return err
	}
	cp.URL = fmt.Sprintf("https://127.0.0.1:%d", ports[0])
	etcdURL := fmt.Sprintf("http://127.0.0.1:%d", ports[1])
	if cp.client, err = kubernetes.NewForConfig(cp.Admin()); err != nil {
		return fmt.Errorf("making the admin client: %w", err)
	}
	cp.mapper = restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(
		cp.client.Discovery()))
	component := func(name string, args []string, ready func(context.Context) error) *Component {
		return &Component{name: name, path: programs[name], args: args,
			logFile: filepath.Join(cp.Dir,
				name+".log"), log: log, ready: ready}
	}
	cp.Etcd = component("etcd", etcdArgs(cp.Dir, etcdURL, fmt.Sprintf("http://127.0.0.1:%d",
		ports[2])), etcdReady(etcdURL))
	apiServerArgs, err := apiServerArgs(cp.Dir, ports[0], etcdURL)
	if err != nil {
		return err
	}
	cp.APIServer = component("kube-apiserver", apiServerArgs, cp.apiServerReady)
	kubeconfig := filepath.Join(cp.Dir, "kube-controller-manager.kubeconfig")
	if err := cp.Kubeconfig(kubeconfig, cp.User("system:kube-controller-manager")); err != nil {
		return err
	}
	cp.ControllerManager = component("kube-controller-manager", controllerManagerArgs(cp.Dir,
		kubeconfig), cp.controllersReady)
	for _, c := range []*Component{cp.Etcd, cp.APIServer, cp.ControllerManager} {
		if err := c.Start(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Stop kills what runs and removes the folder unless Options named it. The data is gone afterwards,
// so nothing is asked to end gently; a component's own Stop does that.
func (cp *ControlPlane) Stop() error {
	var errs []error
	for _, c := range []*Component{cp.ControllerManager, cp.APIServer, cp.Etcd} {
		if c != nil {
			errs = append(errs, c.Kill())
		}
	}
	if cp.temporary {
		errs = append(errs, os.RemoveAll(cp.Dir))
	}
	return errors.Join(errs...)
}
