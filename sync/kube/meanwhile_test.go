package kube

import (
	"fmt"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestMadeWithin: those made from one moment to another, both included, are told, the oldest first.
func TestMadeWithin(t *testing.T) {
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var all []rbacv1.RoleBinding
	for i := range 27 {
		all = append(all, rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "shop",
			Name:              fmt.Sprintf("b%02d", i),
			CreationTimestamp: metav1.NewTime(noon.Add(time.Duration(26-i) * time.Minute))}})
	}
	made := within(all, noon.Add(time.Minute), noon.Add(25*time.Minute))
	if len(made) != 25 || made[0].Name != "b25" || made[24].Name != "b01" {
		t.Fatalf("%d bindings: %v", len(made), made)
	}
}
