"""URL maps made from others, without compiling their rules again.

A Werkzeug map cannot lose a rule, and a rule that is in a map cannot go into another one. Both are a matter of
private names, so they are tried first (`shares`); where they have changed, everything is compiled again, unless
all rules stay as they are.
"""

from __future__ import annotations

import copy
from typing import Any, Collection, Dict, Iterable, Iterator, List, Mapping, Tuple

from werkzeug.exceptions import NotFound
from werkzeug.routing import Map, Rule, RuleFactory


def empty_map(live: Map, converters: Mapping[str, Any]) -> Map:
    """A map with the settings of `live`, and no rules."""
    result = type(live)(host_matching=live.host_matching)
    vars(result).update({name: value for name, value in vars(live).items() if not name.startswith("_")})
    result.merge_slashes = live.merge_slashes
    result.converters = dict(converters)
    return result


def rules_of(live: Map, endpoints: Iterable[str]) -> List[Rule]:
    """The rules of these endpoints, without a look at those of all the others."""
    found: List[Rule] = []
    for endpoint in endpoints:
        try:
            found += live.iter_rules(endpoint)
        except KeyError:  # a view without a rule
            continue
    return found


def same_map(live: Map, converters: Mapping[str, Any]) -> Map:
    """Another map with all rules of `live`. Neither may get more."""
    live.update()
    result = copy.copy(live)
    result.converters = dict(converters)
    return result


def shared_map(live: Map, gone: Collection[str], added: Iterable[Rule], converters: Mapping[str, Any]) -> Map:
    """A map without the endpoints `gone` and with the rules `added`, that shares the compiled rules of `live`."""
    live.update()
    private: Any = live
    result: Any = empty_map(live, converters)
    touched: List[Tuple[Any, int, int]] = []
    result._matcher._root = _copied(private._matcher._root, gone, touched)
    rules = private._rules_by_endpoint.items()
    result._rules_by_endpoint = {endpoint: list(those) for endpoint, those in rules if endpoint not in gone}
    for rule in added:
        if not rule.build_only:
            result._matcher.add(rule)
        result._rules_by_endpoint.setdefault(rule.endpoint, []).append(rule)
    for state, first, kept in touched:
        # The first of equal rules wins: the new ones stand where the old ones stood.
        state.rules[:] = state.rules[:first] + state.rules[kept:] + state.rules[first:kept]
    _prune(result._matcher._root)
    result.update()
    return result  # type: ignore[no-any-return]


def rebuilt_map(live: Map, gone: Collection[str], added: Iterable[Rule], converters: Mapping[str, Any]) -> Map:
    """The same by public means: every rule is compiled again. Equal rules come in the order of their endpoints."""
    result = empty_map(live, converters)
    for rule in [*(rule for rule in live.iter_rules() if rule.endpoint not in gone), *added]:
        # Not `rule.empty()`: that forgets whether it was for websockets, and what Flask added to it.
        unbound: Any = copy.copy(rule)
        unbound.map, unbound.arguments = None, set(rule.defaults or ())
        result.add(unbound)
    result.update()
    return result


def shares(live: Map, rule_class: Any) -> bool:
    """Whether `shared_map` works with the map and rules of this application."""
    try:
        sample = empty_map(live, live.converters)
        sample.add(rule_class("/kept/<int:n>", endpoint="kept", methods=["GET"]))
        sample.add(rule_class("/gone", endpoint="gone"))
        recorder = Recorder(sample, (), sample.converters)
        recorder.map.add(rule_class("/added", endpoint="added"))
        result = shared_map(sample, {"gone"}, recorder.rules, sample.converters)
        adapter = result.bind("localhost")
        found = [adapter.match("/kept/1"), adapter.match("/added"), adapter.build("kept", {"n": 2})]
        rules = sorted(str(rule.endpoint) for rule in result.iter_rules())
        if found != [("kept", {"n": 1}), ("added", {}), "/kept/2"] or rules != ["added", "kept"]:
            return False
        return sample.bind("localhost").match("/gone") == ("gone", {}) and not _answers(adapter, "/gone")
    except Exception:
        return False


class Recorder:
    """A map that takes a note of the `rules` added to it, and takes over those that `live` has compiled already."""

    def __init__(self, live: Map, own: Collection[str], converters: Mapping[str, Any]) -> None:
        self.map = empty_map(live, converters)
        self.rules: List[Rule] = []
        self._live, self._own = live, own
        self._compiled = rules_of(live, own)
        self._converters = dict(live.converters)
        # The rules refer to this map for as long as they live: so it must never hold a rule itself.
        vars(self.map).update(add=self._add, iter_rules=self._iter_rules)

    def close(self) -> None:
        """Lets the map go; the rules stay."""
        del vars(self.map)["add"], vars(self.map)["iter_rules"]

    def _add(self, rulefactory: RuleFactory) -> None:
        for rule in rulefactory.get_rules(self.map):
            self.rules.append(self._known(rule) or self._bound(rule))

    def _iter_rules(self, endpoint: Any = None) -> Iterator[Rule]:
        rules = [*(rule for rule in self._live.iter_rules() if rule.endpoint not in self._own), *self.rules]
        return iter([rule for rule in rules if endpoint is None or rule.endpoint == endpoint])

    def _bound(self, rule: Rule) -> Rule:
        rule.bind(self.map)
        return rule

    def _known(self, rule: Rule) -> Any:
        if self.map.converters != self._converters:
            return None
        wanted = _definition(rule, self.map)
        known = (each for each in self._compiled if type(each) is type(rule) and _definition(each, self.map) == wanted)
        found = next(known, None)
        self._compiled = [each for each in self._compiled if each is not found]
        return found


def _definition(rule: Rule, settings: Map) -> Dict[str, Any]:
    """All that tells a rule from another, bound to a map or not."""
    result = {name: value for name, value in vars(rule).items() if name[0] != "_" and name not in ("map", "arguments")}
    defaults = (settings.strict_slashes, settings.merge_slashes, settings.default_subdomain)
    for name, default in zip(("strict_slashes", "merge_slashes", "subdomain"), defaults):
        result[name] = default if result.get(name) is None else result[name]
    return result


def _copied(state: Any, gone: Collection[str], touched: List[Tuple[Any, int, int]]) -> Any:
    """A copy of a matcher's state, and in `touched`, where it lost rules, the first place and how many are left."""
    result = type(state)()
    result.rules = [rule for rule in state.rules if rule.endpoint not in gone]
    if len(result.rules) != len(state.rules):
        first = next(index for index, rule in enumerate(state.rules) if rule.endpoint in gone)
        touched.append((result, first, len(result.rules)))
    result.static = {part: _copied(each, gone, touched) for part, each in state.static.items()}
    result.dynamic = [(part, _copied(each, gone, touched)) for part, each in state.dynamic]
    return result


def _prune(state: Any) -> bool:
    """Drops the states that lead nowhere; says whether this one is one."""
    state.static = {part: each for part, each in state.static.items() if not _prune(each)}
    state.dynamic = [(part, each) for part, each in state.dynamic if not _prune(each)]
    return not (state.rules or state.static or state.dynamic)


def _answers(adapter: Any, path: str) -> bool:
    try:
        adapter.match(path)
    except NotFound:
        return False
    return True
