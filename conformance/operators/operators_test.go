package operators

import (
	"reflect"
	"testing"
	"time"

	"gatehouse.dev/conformance/harness"
)

// samplesMin is how many objects were judged once; it only grows.
const samplesMin = 1000

// TestOperatorsAreJudgedAsUpstreamJudgesThem installs definitions with the real kubectl, and compares what is said of every
// sample.
func TestOperatorsAreJudgedAsUpstreamJudgesThem(t *testing.T) {
	s := harness.Start(t, "--controllers=-*")
	server, err := Connect(s.Config)
	if err != nil {
		t.Fatal(err)
	}
	judged := 0
	for _, source := range Sources {
		folder := harness.Module(t, source.Module, source.Sum)
		files, err := source.Definitions(folder)
		if err != nil {
			t.Fatal(err)
		}
		begun, before := time.Now(), s.Memory()
		for _, file := range files {
			s.OK("", "apply", "--server-side", "-f", file)
		}
		took := time.Since(begun)
		answers, err := server.Judge(t.Context(), source, folder)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d definitions in %v, %d objects in %v, %d MiB more", source.Name, len(files), took.Round(time.Millisecond),
			len(answers)-len(files), (time.Since(begun) - took).Round(time.Millisecond), (s.Memory()-before)>>20)
		recorded, err := Read("answers", source)
		if err != nil {
			t.Fatal(err)
		}
		if len(answers) != len(recorded) {
			t.Errorf("%s: %d answers, %d recorded; run `go run ./record -operators`", source.Name, len(answers), len(recorded))
		}
		judged += len(answers)
		for _, answer := range answers {
			if want := recorded[answer.Asked]; !reflect.DeepEqual(answer, want) {
				t.Errorf("%s: Gatehouse says\n%+v\nand kube-apiserver\n%+v", source.Name, answer, want)
			}
		}
	}
	if judged < samplesMin {
		t.Errorf("%d objects were judged, %d once", judged, samplesMin)
	}
}
