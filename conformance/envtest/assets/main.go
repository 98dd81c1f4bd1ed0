// Command assets plays the two programs that envtest starts, until Gatehouse speaks to etcd: called etcd it owns a data
// directory and says that it is healthy; called kube-apiserver it becomes Gatehouse, with its flags of etcd turned into
// that data directory. Everything else about the command line is Gatehouse's own business.
package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// dataDirPath is where the one asks the other for its data directory.
const dataDirPath = "/gatehouse/data-dir"

func main() {
	var err error
	switch name := filepath.Base(os.Args[0]); name {
	case "etcd":
		err = etcd(os.Args[1:])
	case "kube-apiserver":
		err = apiserver(os.Args[1:])
	default:
		err = fmt.Errorf("call me etcd or kube-apiserver, not %s", name)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

// etcd listens where it is told, and ends when it is asked to. Of its help envtest only wants to know that there is one.
func etcd(args []string) error {
	if slices.Contains(args, "--help") {
		fmt.Println("--advertise-client-urls --data-dir --listen-client-urls --listen-peer-urls")
		return nil
	}
	dir, err := filepath.Abs(value(args, "data-dir"))
	if err != nil {
		return err
	}
	address, err := url.Parse(value(args, "listen-client-urls"))
	if err != nil {
		return err
	}
	http.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"health":"true","reason":""}`) })
	http.HandleFunc(dataDirPath, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, dir) })
	failed := make(chan error, 1)
	go func() { failed <- http.ListenAndServe(address.Host, nil) }()
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM, syscall.SIGINT)
	select {
	case err := <-failed:
		return err
	case <-asked:
		return nil
	}
}

// apiserver hands over to $GATEHOUSE, under the name by which it takes kube-apiserver's command line.
func apiserver(args []string) error {
	rest, servers, prefix := splitEtcd(args)
	if servers != "" {
		dir, err := dataDir(servers)
		if err != nil {
			return err
		}
		rest = append(rest, "--data-dir="+filepath.Join(dir, "gatehouse", strings.ReplaceAll(strings.Trim(prefix, "/"), "/", "_")))
	}
	return syscall.Exec(os.Getenv("GATEHOUSE"), append([]string{"kube-apiserver"}, rest...), os.Environ())
}

func dataDir(servers string) (string, error) {
	first, _, _ := strings.Cut(servers, ",")
	response, err := http.Get(strings.TrimSuffix(first, "/") + dataDirPath)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	dir, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s is no etcd of this program: %s %v", first, response.Status, err)
	}
	return string(dir), nil
}

// splitEtcd takes the flags of etcd out, in both spellings.
func splitEtcd(args []string) (rest []string, servers, prefix string) {
	for i := 0; i < len(args); i++ {
		name, value, given := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		if !strings.HasPrefix(name, "etcd-") && name != "storage-backend" {
			rest = append(rest, args[i])
			continue
		}
		if !given && i+1 < len(args) {
			i++
			value = args[i]
		}
		switch name {
		case "etcd-servers":
			servers = value
		case "etcd-prefix":
			prefix = value
		}
	}
	return rest, servers, prefix
}

func value(args []string, name string) string {
	for i, arg := range args {
		flag, value, given := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		switch {
		case flag == name && given:
			return value
		case flag == name && i+1 < len(args):
			return args[i+1]
		}
	}
	return ""
}
