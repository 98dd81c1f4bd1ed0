// Podsecurity judges upstream's own Pods by upstream's own checks: a line for each Pod and standard, with the file, the
// standard, its version, and what the Pod breaks in a word and in full, apart by tabs. The Rust tests of admission read it.
package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	folder, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "k8s.io/pod-security-admission").Output()
	if err != nil {
		return fmt.Errorf("find the module: %w", err)
	}
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(folder)), "test/testdata/*/*/*/*.yaml"))
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var pod corev1.Pod
		if err := yaml.Unmarshal(text, &pod); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for i := range pod.Spec.Volumes {
			// What the API fills in before anybody judges.
			if volume := &pod.Spec.Volumes[i]; volume.VolumeSource == (corev1.VolumeSource{}) {
				volume.EmptyDir = &corev1.EmptyDirVolumeSource{}
			}
		}
		version, err := api.ParseVersion(filepath.Base(filepath.Dir(filepath.Dir(file))))
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for _, level := range []api.Level{api.LevelBaseline, api.LevelRestricted} {
			found := policy.AggregateCheckResults(evaluator.EvaluatePod(api.LevelVersion{Level: level, Version: version}, &pod.ObjectMeta, &pod.Spec))
			fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\n", file, level, version, found.ForbiddenReason(), found.ForbiddenDetail())
		}
	}
	return out.Flush()
}
