# The real Kubernetes control plane for the tests and the demo, built from Go modules: `make kube`, then
# testdata/kube/kube.go starts it. Programs are kept per version, so a second run builds nothing.
#
# KUBEBUILDER_ASSETS, the variable of envtest, is respected: what its folder holds is used and not built.
# PULLGRANT_KUBE is the list of folders with the programs, as the tests receive it.

kube_modules := $(CURDIR)/testdata/kube/build
kube_version := $(shell sed -n 's|^.*k8s\.io/kubernetes \(v[0-9.]*\).*|\1|p' '$(kube_modules)/kubernetes/go.mod')
kube_dir := $(CURDIR)/.cache/kube/$(kube_version)

# $(1) are programs: those that KUBEBUILDER_ASSETS does not have.
kube_missing = $(foreach program,$(1),$(if $(and $(KUBEBUILDER_ASSETS),$(wildcard $(KUBEBUILDER_ASSETS)/$(program))),,$(program)))

ifdef KUBEBUILDER_ASSETS
export PULLGRANT_KUBE := $(KUBEBUILDER_ASSETS):$(kube_dir)
else
export PULLGRANT_KUBE := $(kube_dir)
endif

# Without the stamp the API server calls itself v0.0.0-master and clients cannot tell its version.
kube_stamp := k8s.io/component-base/version
kube_ldflags := -s -w -X $(kube_stamp).gitVersion=$(kube_version) \
	-X $(kube_stamp).gitMajor=$(patsubst v%,%,$(word 1,$(subst ., ,$(kube_version)))) \
	-X $(kube_stamp).gitMinor=$(word 2,$(subst ., ,$(kube_version))) -X $(kube_stamp).gitTreeState=clean

kube_build := '$(CURDIR)/testdata/kube/build.sh' '$(kube_dir)'

.PHONY: kube
kube: ## build the Kubernetes control plane the tests and the demo use
	@$(kube_build) '$(kube_modules)/etcd' '-s -w' \
		$(foreach program,$(call kube_missing,etcd),$(program)=go.etcd.io/etcd/server/v3)
	@$(kube_build) '$(kube_modules)/kubernetes' '$(kube_ldflags)' \
		$(foreach program,$(call kube_missing,kube-apiserver kube-controller-manager kubectl),$(program)=k8s.io/kubernetes/cmd/$(program))
