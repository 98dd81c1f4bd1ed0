package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"time"
)

// table shows every contender side by side; ratios are of the last one to the first.
func (b *bench) table() string {
	var t strings.Builder
	fmt.Fprintf(&t, "%s; %s.\n\n", machine(), time.Now().UTC().Format(time.DateOnly))
	t.WriteString("| work |")
	for _, r := range b.results {
		fmt.Fprintf(&t, " %s: CPU per operation | operations/s | p50 / p99 |", r.Name)
	}
	t.WriteString(" ratio of CPU |\n|---|" + strings.Repeat("---|---|---|", len(b.results)) + "---|\n")
	first, last := b.results[0], b.results[len(b.results)-1]
	for _, name := range first.works {
		fmt.Fprintf(&t, "| %s |", name)
		for _, r := range b.results {
			f := r.Works[name]
			fmt.Fprintf(&t, " %s ms | %.0f | %s / %s ms |", short(f.CPU), f.PerSecond, short(f.P50), short(f.P99))
		}
		fmt.Fprintf(&t, " %s |\n", ratio(last.Works[name].CPU, first.Works[name].CPU))
	}
	t.WriteString("\n| |")
	for _, r := range b.results {
		fmt.Fprintf(&t, " %s |", r.Name)
	}
	t.WriteString(" ratio |\n|---|" + strings.Repeat("---|", len(b.results)) + "---|\n")
	for _, name := range first.notes {
		fmt.Fprintf(&t, "| %s |", name)
		for _, r := range b.results {
			fmt.Fprintf(&t, " %s %s |", short(r.Notes[name]), r.units[name])
		}
		fmt.Fprintf(&t, " %s |\n", ratio(last.Notes[name], first.Notes[name]))
	}
	return t.String()
}

// short is a number with three significant digits and no exponent.
func short(value float64) string {
	switch {
	case value >= 100:
		return fmt.Sprintf("%.0f", value)
	case value >= 10:
		return fmt.Sprintf("%.1f", value)
	case value >= 1:
		return fmt.Sprintf("%.2f", value)
	default:
		return fmt.Sprintf("%.3f", value)
	}
}

func ratio(theirs, ours float64) string {
	if ours <= 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f", theirs/ours)
}

// machine is the size of what this ran on.
func machine() string {
	memory := ""
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kib int
		if _, err := fmt.Sscanf(string(text), "MemTotal: %d kB", &kib); err == nil {
			memory = fmt.Sprintf(", %d GiB of memory", (kib+1<<19)>>20)
		}
	}
	return fmt.Sprintf("Measured on %d cores%s; the client shares them", runtime.NumCPU(), memory)
}

func (b *bench) json() (string, error) {
	text, err := json.MarshalIndent(map[string]any{"machine": machine(), "servers": b.results}, "", "  ")
	return string(text) + "\n", err
}

// plot draws the CPU per operation as bars on a logarithmic scale, one group a kind of work.
func (b *bench) plot() string {
	const width, label, row, gap = 900, 360, 14, 12
	colours := []string{"#0b7285", "#74c0fc", "#adb5bd"}
	var body strings.Builder
	y := 30
	for i, r := range b.results {
		fmt.Fprintf(&body, `<rect x="%d" y="8" width="12" height="12" fill="%s"/><text x="%d" y="18">%s</text>`+"\n", label+i*170, colours[i%len(colours)], label+i*170+17, r.Name)
	}
	for _, name := range b.results[0].works {
		fmt.Fprintf(&body, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", label-8, y+row*len(b.results)/2+5, name)
		for i, r := range b.results {
			cpu := r.Works[name].CPU
			fmt.Fprintf(&body, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/><text x="%.1f" y="%d">%s ms</text>`+"\n",
				label, y, bar(cpu), row-2, colours[i%len(colours)], label+bar(cpu)+4, y+row-3, short(cpu))
			y += row
		}
		y += gap
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n"+
		`<rect width="100%%" height="100%%" fill="white"/>`+"\n%s</svg>\n", width, y, body.String())
}

// bar is a bar's length: a hundredth of a millisecond has none, and each tenfold is a further step.
func bar(milliseconds float64) float64 {
	const shortest, step = 0.01, 85
	return max(1, step*math.Log10(milliseconds/shortest))
}
