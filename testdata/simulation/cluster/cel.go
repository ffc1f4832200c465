package cluster

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// scope is what the expressions of a policy speak of, for one write. A variable is evaluated when
// it is asked for, once.
type scope struct {
	c         *Cluster
	a         admission
	values    map[string]any
	variables map[string]string // expressions, by variables.name
}

func newScope(c *Cluster, a admission, variables []admissionv1.Variable) *scope {
	s := &scope{c: c, a: a, variables: map[string]string{}}
	for _, v := range variables {
		s.variables["variables."+v.Name] = v.Expression
	}
	version := func(name string) map[string]any {
		return map[string]any{"group": a.q.res.Group, "version": a.q.res.Version, name: map[string]string{
			"kind": a.q.res.kind, "resource": a.q.res.Resource}[name]}
	}
	request := map[string]any{"operation": a.operation, "name": a.q.name, "kind": version("kind"),
		"resource": version("resource"), "dryRun": a.q.dryRun(), "options": a.options,
		"userInfo": map[string]any{"username": a.q.user.name, "groups": a.q.user.groups}}
	if a.q.namespace != "" {
		request["namespace"] = a.q.namespace
	}
	if a.q.sub != "" {
		request["subResource"] = a.q.sub
	}
	s.values = map[string]any{"request": request, "object": orNull(a.object), "params": types.NullValue,
		"oldObject": orNull(a.old), "namespaceObject": types.NullValue,
		"authorizer": question{c: c, user: a.q.user}}
	if in := c.get(place{res: byName("", "namespaces"), name: a.q.namespace}); in != nil {
		s.values["namespaceObject"] = in.Object
	}
	return s
}

func orNull(object map[string]any) any {
	if object == nil {
		return types.NullValue
	}
	return runtime.DeepCopyJSON(object)
}

// ResolveName and Parent are those of a cel.Activation.
func (s *scope) ResolveName(name string) (any, bool) {
	if value, known := s.values[name]; known {
		return value, true
	}
	expression, is := s.variables[name]
	if !is {
		return nil, false
	}
	value, err := s.eval(expression)
	if err != nil {
		value = types.NewErr("%s: %v", name, err)
	}
	s.values[name] = value
	return value, true
}

func (s *scope) Parent() cel.Activation { return nil }

func (s *scope) holds(expression string) (bool, error) {
	value, err := s.eval(expression)
	if err != nil {
		return false, err
	}
	return value == types.True, nil
}

func (s *scope) text(expression string) (string, error) {
	value, err := s.eval(expression)
	if err != nil {
		return "", err
	}
	text, _ := value.Value().(string)
	return text, nil
}

var (
	used     = regexp.MustCompile(`variables\.[A-Za-z0-9_]+`)
	programs sync.Map // by expression, of all clusters: what is compiled has no state
)

func (s *scope) eval(expression string) (ref.Val, error) {
	known, _ := programs.Load(expression)
	program, is := known.(cel.Program)
	if !is {
		var err error
		if program, err = compile(expression); err != nil {
			return nil, err
		}
		programs.Store(expression, program)
	}
	value, _, err := program.Eval(s)
	return value, err
}

// compile prepares an expression in an environment with what ours use of that of Kubernetes:
// https://kubernetes.io/docs/reference/using-api/cel/
func compile(expression string) (cel.Program, error) {
	options := []cel.EnvOption{cel.OptionalTypes(), ext.Strings(), cel.CrossTypeNumericComparisons(true),
		regexLibrary, authorizerLibrary}
	names := []string{"request", "object", "oldObject", "params", "namespaceObject", "authorizer"}
	declared := map[string]bool{}
	for _, name := range append(names, used.FindAllString(expression, -1)...) {
		if !declared[name] {
			options = append(options, cel.Variable(name, cel.DynType))
			declared[name] = true
		}
	}
	env, err := cel.NewEnv(options...)
	if err != nil {
		return nil, fmt.Errorf("preparing the environment: %w", err)
	}
	ast, issues := env.Compile(expression)
	if issues.Err() != nil {
		return nil, issues.Err()
	}
	return env.Program(ast)
}

// regexLibrary is find and findAll of strings.
var regexLibrary = func(e *cel.Env) (*cel.Env, error) {
	find := func(text, pattern ref.Val, found func(*regexp.Regexp, string) any) ref.Val {
		of, err := regexp.Compile(fmt.Sprint(pattern.Value()))
		if err != nil {
			return types.NewErr("%v", err)
		}
		return types.DefaultTypeAdapter.NativeToValue(found(of, fmt.Sprint(text.Value())))
	}
	member := func(name string, result *cel.Type, found func(*regexp.Regexp, string) any) cel.EnvOption {
		return cel.Function(name, cel.MemberOverload("string_"+name, []*cel.Type{cel.StringType,
			cel.StringType}, result, cel.BinaryBinding(func(text, pattern ref.Val) ref.Val {
			return find(text, pattern, found)
		})))
	}
	return e.Extend(member("find", cel.StringType, func(of *regexp.Regexp, text string) any {
		return of.FindString(text)
	}), member("findAll", cel.ListType(cel.StringType), func(of *regexp.Regexp, text string) any {
		return append([]string{}, of.FindAllString(text, -1)...)
	}))
}

// question is the authorizer as expressions use it: what is asked, word by word.
type question struct {
	c    *Cluster
	user user
	attributes
}

var questionType = cel.OpaqueType("kubernetes.authorization.Question")

// authorizerLibrary has the words of a question.
var authorizerLibrary = func(e *cel.Env) (*cel.Env, error) {
	word := func(name string, set func(*question, string)) cel.EnvOption {
		return cel.Function(name, cel.MemberOverload("question_"+name, []*cel.Type{cel.DynType,
			cel.StringType}, cel.DynType, cel.BinaryBinding(func(q, text ref.Val) ref.Val {
			next := q.(question)
			set(&next, fmt.Sprint(text.Value()))
			return next
		})))
	}
	return e.Extend(word("group", func(q *question, text string) { q.group = text }),
		word("resource", func(q *question, text string) { q.resource, q.sub, _ = strings.Cut(text, "/") }),
		word("subresource", func(q *question, text string) { q.sub = text }),
		word("namespace", func(q *question, text string) { q.namespace = text }),
		word("name", func(q *question, text string) { q.name = text }),
		word("check", func(q *question, text string) { q.verb = text }),
		cel.Function("allowed", cel.MemberOverload("question_allowed", []*cel.Type{cel.DynType},
			cel.BoolType, cel.UnaryBinding(func(q ref.Val) ref.Val {
				asked := q.(question)
				return types.Bool(asked.c.may(asked.user, asked.attributes))
			}))))
}

// What follows makes a question a value of CEL.

func (q question) ConvertToNative(reflect.Type) (any, error) {
	return nil, fmt.Errorf("a question to the authorizer has no other form")
}

func (q question) ConvertToType(ref.Type) ref.Val {
	return types.NewErr("a question to the authorizer has no other form")
}

func (q question) Equal(ref.Val) ref.Val { return types.False }

func (q question) Type() ref.Type { return questionType }

func (q question) Value() any { return q.attributes }
