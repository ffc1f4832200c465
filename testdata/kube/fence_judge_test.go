package kube

import (
	"encoding/json"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/render"
)

// judge tells whether the attempt was refused, after it was found to be so for the right reason.
func (w *trial) judge(a attempt, err error) bool {
	w.Helper()
	policy := render.FenceManaged
	switch user, _, _ := strings.Cut(a.As, " "); {
	case a.Policy != "":
		policy = a.Policy
	case user == "agent":
		policy = render.FenceAgent
	case user == "expirer":
		policy = render.FenceExpirer
	case user == "aws":
		policy = render.FenceAWS
	}
	switch want := fmt.Sprintf("ValidatingAdmissionPolicy '%s' with binding '%[1]s' denied "+
		"request: pullgrant: %s", policy, a.Fence); {
	case a.Fence == "" && a.RBAC == "":
		if err != nil {
			w.Fatal(err)
		}
		return false
	case err == nil:
		w.Fatal("it worked")
	case a.Fence != "" && (!apierrors.IsForbidden(err) || !strings.Contains(err.Error(), want)):
		w.Errorf("%v\nwant %s", err, want)
	case a.RBAC != "" && (!strings.Contains(err.Error(), a.RBAC) || strings.Contains(err.Error(),
		"denied request")):
		w.Errorf("%v\nwant %s", err, a.RBAC)
	}
	return true
}

func (w *trial) json(value any) []byte {
	w.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		w.Fatal(err)
	}
	return data
}

func (w *trial) options(a attempt) (options metav1.DeleteOptions) {
	w.Helper()
	if err := json.Unmarshal(w.json(a.Options), &options); err != nil {
		w.Fatal(err)
	}
	return options
}
