package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
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

// report prints what failed where. It is an error that something fails on the first server and not on all.
func report(names []string, results [][]result) error {
	failed := map[string][]string{}
	for i, all := range results {
		count := 0
		for _, one := range all {
			if one.code != 0 && !slices.Contains(failed[one.part], names[i]) {
				failed[one.part] = append(failed[one.part], names[i])
				count++
			}
		}
		fmt.Printf("%s: %d parts ran, %d failed\n", names[i], len(all), count)
	}
	alone := false
	for _, part := range slices.Sorted(maps.Keys(failed)) {
		where := failed[part]
		fmt.Printf("%s fails at %s\n", part, strings.Join(where, " and "))
		alone = alone || where[0] == names[0] && len(where) < len(names)
	}
	if alone {
		return errors.New("not everything passes that should")
	}
	return nil
}
