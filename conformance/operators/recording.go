package operators

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
)

// Write files the answers about a source, one a line.
func Write(folder string, source Source, answers []Answer) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	for _, answer := range answers {
		if err := encoder.Encode(answer); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(folder, source.Name+".jsonl"), text.Bytes(), 0o644)
}

// Read gives the answers about a source by what was asked.
func Read(folder string, source Source) (map[string]Answer, error) {
	text, err := os.ReadFile(filepath.Join(folder, source.Name+".jsonl"))
	if err != nil {
		return nil, err
	}
	answers := map[string]Answer{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, len(text)+1)
	for lines.Scan() {
		var answer Answer
		if err := json.Unmarshal(lines.Bytes(), &answer); err != nil {
			return nil, err
		}
		answers[answer.Asked] = answer
	}
	return answers, lines.Err()
}
