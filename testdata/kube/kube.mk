# The real Kubernetes control plane for the tests and the demo, built from Go modules: `make kube`, then
# testdata/kube/kube.go starts it. Programs are kept per version, so a second run builds nothing.
#
# KUBEBUILDER_ASSETS, the variable of envtest, is respected: what its folder holds is used and not built.
# PULLGRANT_KUBE is the list of folders with the programs, as the tests receive it.

kube_modules := $(CURDIR)/testdata/kube/build
kube_version := $(shell sed -n 's|^.*k8s\.io/kubernetes \(v[0-9.]*\).*|\1|p' '$(kube_modules)/kubernetes/go.mod')
etcd_version := $(shell sed -n 's|^.*go\.etcd\.io/etcd/server/v3 \(v[0-9.]*\).*|\1|p' '$(kube_modules)/etcd/go.mod')
kube_dir := $(CURDIR)/.cache/kube/$(kube_version)

# $(1) is one of the four programs: nothing when KUBEBUILDER_ASSETS has it, else the file to build.
kube_missing = $(if $(and $(KUBEBUILDER_ASSETS),$(wildcard $(KUBEBUILDER_ASSETS)/$(1))),,$(kube_dir)/$(1))
kube_programs := $(foreach program,etcd kube-apiserver kube-controller-manager kubectl,$(call kube_missing,$(program)))

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

# kube_build: $(1) module folder, $(2) package, $(3) version, $(4) place among the four, $(5) how long a cold build takes
# on two cores. The program gets its name only when it is whole. How many packages are compiled is told every 20 seconds; what else go
# says, in lines with blanks, is shown only when it failed.
define kube_build
@mkdir -p '$(@D)'
@echo 'building $(@F) $(3) ($(4) of 4, about $(5) the first time)'
@tmp='$@'.$$$$; trap 'rm -f "$$tmp" "$$tmp.log"' EXIT; trap 'exit 1' HUP INT TERM; start=$$(date +%s); \
cd '$(kube_modules)/$(1)' || exit 1; \
CGO_ENABLED=0 GOOS= GOARCH= GOFLAGS= GOWORK=off go build -v -trimpath -ldflags '$(kube_ldflags)' -o "$$tmp" $(2) >"$$tmp.log" 2>&1 & \
build=$$!; trap 'kill $$build; exit 1' HUP INT TERM; told=0; \
while sleep 1; kill -0 $$build 2>/dev/null; do \
	took=$$(($$(date +%s) - start)); \
	if [ $$((took - told)) -ge 20 ]; then told=$$took; echo "  $(@F): $$(wc -l <"$$tmp.log") packages compiled in $$took s"; fi; \
done; \
wait $$build || { grep ' ' "$$tmp.log" >&2; exit 1; }; \
mv "$$tmp" '$@' && echo "built $(@F) in $$(($$(date +%s) - start)) s"
endef

.PHONY: kube
kube: $(kube_programs) ## build the Kubernetes control plane the tests and the demo use

# No prerequisites: the version is in the folder's name, and a fresh checkout's times would only cause rebuilds.
$(kube_dir)/etcd:
	$(call kube_build,etcd,go.etcd.io/etcd/server/v3,$(etcd_version),1,2 minutes)

$(kube_dir)/kube-apiserver:
	$(call kube_build,kubernetes,k8s.io/kubernetes/cmd/kube-apiserver,$(kube_version),2,5 minutes)

$(kube_dir)/kube-controller-manager:
	$(call kube_build,kubernetes,k8s.io/kubernetes/cmd/kube-controller-manager,$(kube_version),3,1 minute)

$(kube_dir)/kubectl:
	$(call kube_build,kubernetes,k8s.io/kubernetes/cmd/kubectl,$(kube_version),4,half a minute)
