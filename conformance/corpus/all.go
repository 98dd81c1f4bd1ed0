package corpus

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
)

// atOnce is how many scenarios run side by side.
const atOnce = 8

// settle waits for what a server that is ready may still be doing: nothing can be allocated at first.
func settle(ctx context.Context, server *Server) error {
	service := map[string]any{"metadata": map[string]any{"name": "settle"}, "spec": map[string]any{"ports": []any{map[string]any{"port": 80}}}}
	reply, err := server.do(ctx, &Scenario{}, Step{Do: "POST /api/v1/namespaces/default/services?dryRun=All", Body: service, Until: http.StatusCreated})
	if err == nil && reply.code != http.StatusCreated {
		err = fmt.Errorf("no Service can be made: %s", reply.body)
	}
	return err
}

// RunAll runs every scenario and gives their answers in the same order. Those that broke off are told together.
func RunAll(ctx context.Context, server *Server, scenarios []Scenario) ([][]Answer, error) {
	if err := settle(ctx, server); err != nil {
		return nil, err
	}
	answers, faults := make([][]Answer, len(scenarios)), make([]error, len(scenarios))
	var group sync.WaitGroup
	seats := make(chan struct{}, atOnce)
	for i, scenario := range scenarios {
		seats <- struct{}{}
		group.Go(func() {
			answers[i], faults[i] = server.Run(ctx, scenario)
			<-seats
		})
	}
	group.Wait()
	return answers, errors.Join(faults...)
}
