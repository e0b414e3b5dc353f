// Command yaml reads YAML documents as kubectl does, and prints each as a line of JSON: {"value": …} with what kubectl
// would send, or {"error": "…"}. A "repeated" key says that the document holds a key twice, which kubectl forgives.
// Documents on the standard input are separated by zero bytes.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"sigs.k8s.io/yaml"
)

type reading struct {
	Value    json.RawMessage `json:"value,omitempty"`
	Error    string          `json:"error,omitempty"`
	Repeated string          `json:"repeated,omitempty"`
}

func main() {
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, "yaml:", err)
		os.Exit(2)
	}
	output := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(output)
	encoder.SetEscapeHTML(false)
	for _, document := range split(input) {
		if err := encoder.Encode(read(document)); err != nil {
			fmt.Fprintln(os.Stderr, "yaml:", err)
			os.Exit(2)
		}
	}
	if err := output.Flush(); err != nil {
		os.Exit(2)
	}
}

func split(input []byte) [][]byte {
	var documents [][]byte
	start := 0
	for at, character := range input {
		if character == 0 {
			documents = append(documents, input[start:at])
			start = at + 1
		}
	}
	return documents
}

// A parser that panics has not read anything either.
func read(document []byte) (outcome reading) {
	defer func() {
		if cause := recover(); cause != nil {
			outcome = reading{Error: fmt.Sprint("panic: ", cause)}
		}
	}()
	value, err := yaml.YAMLToJSON(document)
	if err != nil {
		return reading{Error: err.Error()}
	}
	if _, err := yaml.YAMLToJSONStrict(document); err != nil {
		return reading{Value: value, Repeated: err.Error()}
	}
	return reading{Value: value}
}
