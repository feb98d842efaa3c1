// Replays the histories of api_apply_scenarios (standard input) in structured-merge-diff, the library
// behind server-side apply in Kubernetes, and compares object, owners and conflicts after every step.
// Exit code 1 and the first differences where they disagree.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"reflect"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/merge"
	"sigs.k8s.io/structured-merge-diff/v6/typed"
)

const version = "x/v1"

type step struct {
	Manager, Type, Error string
	Force                bool
	Object, Result       map[string]any
}

// One version only: nothing to convert.
type converter struct{}

func (converter) Convert(o *typed.TypedValue, _ fieldpath.APIVersion) (*typed.TypedValue, error) {
	return o, nil
}
func (converter) IsMissingVersionError(error) bool { return false }

// peer holds the object as the library sees it.
type peer struct {
	kind     typed.ParseableType
	updater  *merge.Updater
	live     *typed.TypedValue
	managers fieldpath.ManagedFields
	created  bool
}

// The fields that nobody owns, of those that the histories hold.
var unowned = fieldpath.NewSet(fieldpath.MakePathOrDie("apiVersion"), fieldpath.MakePathOrDie("kind"),
	fieldpath.MakePathOrDie("metadata"), fieldpath.MakePathOrDie("metadata", "name"))

// strip drops the fields that nobody owns, and the manager with its last field.
func strip(managers fieldpath.ManagedFields, id string, applied bool) {
	if owned, ok := managers[id]; ok {
		set := owned.Set().Difference(unowned)
		delete(managers, id)
		if !set.Empty() {
			managers[id] = fieldpath.NewVersionedSet(set, version, applied)
		}
	}
}

func (p *peer) update(object *typed.TypedValue, manager string) error {
	if p.created && len(p.managers) == 0 { // not tracked until an apply
		p.live = object
		return nil
	}
	const self = "current-operation"
	_, managers, err := p.updater.Update(p.live, object, version, p.managers.Copy(), self)
	if err != nil {
		return err
	}
	strip(managers, self, false)
	if owned, ok := managers[self]; ok {
		delete(managers, self)
		id := manager + " Update"
		set := owned.Set()
		if before, ok := managers[id]; ok {
			set = set.Union(before.Set())
		}
		managers[id] = fieldpath.NewVersionedSet(set, version, false)
	}
	p.live, p.managers = object, managers
	return nil
}

func (p *peer) apply(object *typed.TypedValue, manager string, force bool) error {
	managers := p.managers.Copy()
	if p.created && len(managers) == 0 {
		const before = "before-first-apply Update"
		empty, err := p.kind.FromUnstructured(map[string]any{})
		if err != nil {
			return err
		}
		if _, managers, err = p.updater.Update(empty, p.live, version, managers, before); err != nil {
			return err
		}
		strip(managers, before, false)
	}
	id := manager + " Apply"
	merged, managers, err := p.updater.Apply(p.live, object, version, managers, id, force)
	if err != nil {
		return err
	}
	if merged != nil {
		p.live = merged
	}
	strip(managers, id, true)
	p.managers = managers
	return nil
}

func canonical(text []byte) string {
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return "not JSON: " + string(text)
	}
	out, _ := json.Marshal(value)
	return string(out)
}

func (p *peer) owners() map[string]string {
	out := map[string]string{}
	for id, owned := range p.managers {
		text, _ := owned.Set().ToJSON()
		out[id] = canonical(text)
	}
	return out
}

// ours splits a result into the object without managedFields, and its owners.
func ours(result map[string]any) (string, map[string]string) {
	owners := map[string]string{}
	metadata, _ := result["metadata"].(map[string]any)
	list, _ := metadata["managedFields"].([]any)
	delete(metadata, "managedFields")
	for _, each := range list {
		entry := each.(map[string]any)
		text, _ := json.Marshal(entry["fieldsV1"])
		owners[entry["manager"].(string)+" "+entry["operation"].(string)] = string(text)
	}
	text, _ := json.Marshal(result)
	return string(text), owners
}

// replay returns what differs at the first step that does, or nothing.
func replay(kind typed.ParseableType, steps []step) (string, error) {
	live, err := kind.FromUnstructured(map[string]any{})
	if err != nil {
		return "", err
	}
	p := &peer{kind: kind, updater: (&merge.UpdaterBuilder{Converter: converter{}}).BuildUpdater(), live: live,
		managers: fieldpath.ManagedFields{}}
	for i, s := range steps {
		var options []typed.ValidationOptions
		if s.Type == "update" {
			options = append(options, typed.AllowDuplicates)
		}
		object, err := kind.FromUnstructured(s.Object, options...)
		if err != nil {
			return "", err
		}
		if s.Type == "update" {
			err = p.update(object, s.Manager)
		} else {
			err = p.apply(object, s.Manager, s.Force)
		}
		if (err != nil) != (s.Error != "") {
			return fmt.Sprintf("step %d: error there %v, here %q", i, err, s.Error), nil
		}
		if err != nil {
			continue
		}
		p.created = true
		objectHere, ownersHere := ours(s.Result)
		text, _ := json.Marshal(p.live.AsValue().Unstructured())
		if there := canonical(text); there != objectHere {
			return fmt.Sprintf("step %d: object\n there %s\n here  %s", i, there, objectHere), nil
		}
		if there := p.owners(); !reflect.DeepEqual(there, ownersHere) {
			return fmt.Sprintf("step %d: owners\n there %v\n here  %v", i, there, ownersHere), nil
		}
	}
	return "", nil
}

func main() {
	parser, err := typed.NewParser(schemaYAML)
	if err != nil {
		panic(err)
	}
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(nil, 1<<26)
	histories, different := 0, 0
	for ; input.Scan() && different < 5; histories++ {
		var steps []step
		if err := json.Unmarshal(input.Bytes(), &steps); err != nil {
			panic(err)
		}
		difference, err := replay(parser.Type("W"), steps)
		if err != nil {
			panic(err)
		}
		if difference != "" {
			different++
			fmt.Printf("history %d, %s\n", histories, difference)
		}
	}
	fmt.Printf("%d histories, %d differ\n", histories, different)
	if different > 0 || histories == 0 {
		os.Exit(1)
	}
}
