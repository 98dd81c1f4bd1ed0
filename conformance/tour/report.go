package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// result is how one part of the suite ended.
type result struct {
	part          string
	code, seconds int
}

// readResults takes lines as tour.sh writes them until there are no more, and tells of each.
func readResults(from io.Reader, tell func(result)) (results []result) {
	for lines := bufio.NewScanner(from); lines.Scan(); {
		var one result
		if _, err := fmt.Sscan(lines.Text(), &one.code, &one.part, &one.seconds); err != nil {
			continue
		}
		tell(one)
		results = append(results, one)
	}
	return results
}

// report prints what failed where; it is an error that something fails on the first server alone.
func report(names []string, results [][]result) error {
	failed := make([]map[string]bool, len(names))
	for i, all := range results {
		failed[i] = map[string]bool{}
		for _, one := range all {
			failed[i][one.part] = failed[i][one.part] || one.code != 0
		}
	}
	alone := 0
	for i, name := range names {
		bad := 0
		for part, is := range failed[i] {
			if !is {
				continue
			}
			bad++
			everywhere := true
			for _, others := range failed {
				everywhere = everywhere && others[part]
			}
			if everywhere && len(names) > 1 {
				fmt.Printf("%s: %s fails, as everywhere\n", name, part)
			} else {
				fmt.Printf("%s: %s fails\n", name, part)
				if i == 0 {
					alone++
				}
			}
		}
		fmt.Printf("%s: %d parts ran, %d failed\n", name, len(failed[i]), bad)
	}
	if alone > 0 {
		return errors.New("not everything passes that should")
	}
	return nil
}
