package kube

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// ErrNotBuilt says that a program of the control plane is in none of the folders.
var ErrNotBuilt = errors.New("the Kubernetes control plane is not built: run `make test`, which " +
	"builds it once")

// findPrograms returns the path of every program by name. The error wraps ErrNotBuilt.
func findPrograms(folders []string) (map[string]string, error) {
	if len(folders) == 0 {
		folders = append(filepath.SplitList(os.Getenv("PULLGRANT_KUBE")),
			os.Getenv("KUBEBUILDER_ASSETS"), builtFolder())
		folders = slices.DeleteFunc(folders, func(folder string) bool { return folder == "" })
	}
	programs := map[string]string{}
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kubectl"} {
		for _, folder := range folders {
			path := filepath.Join(folder, name)
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				programs[name] = path
				break
			}
		}
		if programs[name] == "" {
			return nil, fmt.Errorf("%w (no %s in %s)", ErrNotBuilt, name, strings.Join(folders,
				string(filepath.ListSeparator)))
		}
	}
	return programs, nil
}

var kubernetesVersion = regexp.MustCompile(`k8s\.io/kubernetes (v[0-9.]+)`)

// builtFolder is where kube.mk puts what it builds, or "" outside a checkout of this repository: a
// test runs in its package's folder, somewhere below the root.
func builtFolder() string {
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	for {
		mod, err := os.ReadFile(filepath.Join(dir, "testdata", "kube", "build",
			"kubernetes", "go.mod"))
		if version := kubernetesVersion.FindSubmatch(mod); err == nil && version != nil {
			return filepath.Join(dir, ".cache", "kube", string(version[1]))
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}

// freePorts returns n loopback TCP ports that nobody listens on, and that nobody else who uses this
// package on the machine picks while this process lives: between the choice and the first listener
// lie seconds, and an API server that found another one's etcd would take it for its own. They lie
// below the range from which systems pick the local port of outgoing connections, so one is still
// free when a killed component is started again.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range 1000 {
		port := 20000 + rand.IntN(12000)
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		defer listener.Close() // held until all are found: no port is found twice
		if !reserve(port) {
			continue
		}
		if ports = append(ports, port); len(ports) == n {
			return ports, nil
		}
	}
	return nil, errors.New("finding free ports on 127.0.0.1: none between 20000 and 32000")
}

// portLocks is the folder of the locks, in the machine's folder for temporary files.
const portLocks = "pullgrant-ports"

// reserved holds the locks on ports until the process ends, however it does.
var reserved sync.Map

// reserve takes a port for this process, unless another one has it.
func reserve(port int) bool {
	locks := filepath.Join(os.TempDir(), portLocks)
	_ = os.MkdirAll(locks, 0o755) // without it no file can be opened
	file, err := os.OpenFile(filepath.Join(locks, fmt.Sprint(port)), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return false // of another user of the machine
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		return false
	}
	reserved.Store(port, file)
	return true
}
