// Command import records facts of upstream's kube-apiserver as the tables in gateway/catalog/data: what the registered
// types look like, which resources a server with default flags serves, how they are stored, printed and defaulted, and
// what a fresh cluster holds. It takes no code, and no sentence but what
// answers say of columns and documents of parameters of queries.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	out := flag.String("out", "../gateway/catalog/data", "folder of the tables")
	module := flag.String("module", "", "folder of the module k8s.io/kubernetes")
	cases := flag.Bool("defaulting-cases", false, "write objects before and after defaulting to standard output, and no table")
	flag.Parse()
	if *cases {
		if err := writeCases(os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "import:", err)
			os.Exit(1)
		}
		return
	}
	if err := run(*out, *module); err != nil {
		fmt.Fprintln(os.Stderr, "import:", err)
		os.Exit(1)
	}
}

func run(out, module string) error {
	tables, err := derive(module)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for name, text := range tables {
		if err := os.WriteFile(filepath.Join(out, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
