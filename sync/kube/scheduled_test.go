package kube

import (
	"reflect"
	"testing"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// TestRecordOfWhatBeginsLater: it is read as it was written, and has an end and no objects.
func TestRecordOfWhatBeginsLater(t *testing.T) {
	r, err := readRecord(recorded(t, plan.Granting))
	if err != nil {
		t.Fatal(err)
	}
	r.Phase = plan.Scheduled
	r.Grant.NotBefore, r.Grant.Extends = r.Grant.Window.Start, "20261123-alice-first"
	if _, err := readRecord(configMapOf(r)); err == nil {
		t.Error("one with objects is read")
	}
	r.Objects = nil
	if again, err := readRecord(configMapOf(r)); err != nil || !reflect.DeepEqual(again, r) {
		t.Errorf("written and read again it is\n%+v\nand was\n%+v, %v", again, r, err)
	}
	r.Grant.Window = requests.Window{}
	if _, err := readRecord(configMapOf(r)); err == nil {
		t.Error("one without an end is read")
	}
}
