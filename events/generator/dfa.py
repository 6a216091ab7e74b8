# SPDX-License-Identifier: MIT
"""Regular expressions of the schemas as tables, so that the C code needs no engine and takes no more than a step
for each byte.

Of ECMA-262, as JSON Schema wants it, what a schema here may use: ^ and $ around the whole, ASCII characters,
escapes of punctuation, \\d, [...] with ranges, (...), (?:...), |, and ? * + {n} {m,} {m,n}. Anything else is
refused rather than read in another way than a JSON Schema validator would."""

REPEAT_MAX = 1000
STATES_MAX = 255
PUNCTUATION = set("^$\\.*+?()[]{}|/-")


class PatternError(Exception):
    pass


class Table:
    """State 0 is dead, state 1 the start. next_state[state][char_class]; byte_class has one for each ASCII byte."""

    def __init__(self, byte_class, next_state, accepting):
        self.byte_class = byte_class
        self.next_state = next_state
        self.accepting = accepting

    def matches(self, text):
        state = 1
        for byte in text.encode():
            state = self.next_state[state][self.byte_class[byte]] if byte < 128 else 0
        return self.accepting[state]


def compile_pattern(pattern):
    if not (pattern.startswith("^") and pattern.endswith("$")) or len(pattern) < 2:
        raise PatternError("must begin with ^ and end with $")
    tree = _Parser(pattern[1:-1]).whole()
    nfa = _Nfa()
    start, end = nfa.build(tree)
    return _minimized(*_deterministic(nfa, start, end))


class _Parser:
    """Trees: a set of bytes; ("then", [...]); ("or", [...]); ("repeat", tree, least, most or None)."""

    def __init__(self, text):
        self.text = text
        self.at = 0

    def whole(self):
        tree = self.sequence()
        if self.peek() == "|":
            raise PatternError("alternatives need (?:...) around them: ^ and $ bind closer")
        if self.at < len(self.text):
            raise PatternError(f"{self.text[self.at]!r} is not expected at {self.at}")
        return tree

    def peek(self):
        return self.text[self.at] if self.at < len(self.text) else ""

    def take(self):
        char = self.peek()
        if not char:
            raise PatternError("ends too early")
        if not " " <= char <= "~":
            raise PatternError("only printable ASCII can be matched")
        self.at += 1
        return char

    def alternatives(self):
        found = [self.sequence()]
        while self.peek() == "|":
            self.at += 1
            found.append(self.sequence())
        return ("or", found)

    def sequence(self):
        found = []
        while self.peek() and self.peek() not in "|)":
            found.append(self.repeated(self.atom()))
        return ("then", found)

    def atom(self):
        char = self.take()
        if char == "(":
            if self.text.startswith("?:", self.at):
                self.at += 2
            elif self.peek() == "?":
                raise PatternError("look-around is not supported")
            tree = self.alternatives()
            if self.take() != ")":
                raise PatternError("a group is not closed")
            return tree
        if char == "[":
            return self.char_class()
        if char == "\\":
            return self.escape()
        if char in "^$.*+?{}]":
            raise PatternError(f"{char!r} is not supported here")
        return {ord(char)}

    def escape(self):
        char = self.take()
        if char == "d":
            return set(range(ord("0"), ord("9") + 1))
        if char not in PUNCTUATION:
            raise PatternError(f"the escape \\{char} is not supported")
        return {ord(char)}

    def char_class(self):
        if self.peek() == "^":
            raise PatternError("[^...] is not supported")
        found = set()
        while True:
            char = self.take()
            if char == "]":
                return found
            low = self.escape() if char == "\\" else {ord(char)}
            if self.peek() == "-" and self.text[self.at + 1:self.at + 2] not in ("]", ""):
                self.at += 1
                char = self.take()
                high = self.escape() if char == "\\" else {ord(char)}
                if len(low) != 1 or len(high) != 1 or min(low) > min(high):
                    raise PatternError("a range is the wrong way round")
                low = set(range(min(low), min(high) + 1))
            found |= low

    def repeated(self, tree):
        least, most = {"?": (0, 1), "*": (0, None), "+": (1, None)}.get(self.peek(), (1, 1))
        if self.peek() in ("?", "*", "+"):
            self.at += 1
        elif self.peek() == "{":
            end = self.text.find("}", self.at)
            first, comma, second = self.text[self.at + 1:end].partition(",")
            if end < 0 or not first.isdigit() or not (second.isdigit() or second == ""):
                raise PatternError("{...} must hold numbers")
            least = int(first)
            most = least if not comma else int(second) if second else None
            if max(least, most or 0) > REPEAT_MAX or (most is not None and most < least):
                raise PatternError("{...} is out of range")
            self.at = end + 1
        else:
            return tree
        if self.peek() and self.peek() in "?*+{":
            raise PatternError("a quantifier follows a quantifier")
        return ("repeat", tree, least, most)


class _Nfa:
    def __init__(self):
        self.empty = []  # for each state, the states that need no byte
        self.steps = []  # for each state, (set of bytes, state)

    def state(self):
        self.empty.append([])
        self.steps.append([])
        return len(self.empty) - 1

    def build(self, tree):
        """The first and the last state of the tree."""
        start = end = self.state()
        if isinstance(tree, set):
            end = self.state()
            self.steps[start].append((tree, end))
        elif tree[0] == "then":
            for part in tree[1]:
                first, last = self.build(part)
                self.empty[end].append(first)
                end = last
        elif tree[0] == "or":
            end = self.state()
            for part in tree[1]:
                first, last = self.build(part)
                self.empty[start].append(first)
                self.empty[last].append(end)
        else:
            end = self.build_repeat(start, *tree[1:])
        return start, end

    def build_repeat(self, start, tree, least, most):
        end = start
        for _ in range(least):
            first, last = self.build(tree)
            self.empty[end].append(first)
            end = last
        if most is None:
            first, last = self.build(tree)
            out = self.state()
            self.empty[end] += [first, out]
            self.empty[last] += [first, out]
            return out
        out = self.state()
        for _ in range(most - least):
            first, last = self.build(tree)
            self.empty[end] += [first, out]
            end = last
        self.empty[end].append(out)
        return out

    def closure(self, states):
        found = set(states)
        left = list(found)
        while left:
            for state in self.empty[left.pop()]:
                if state not in found:
                    found.add(state)
                    left.append(state)
        return frozenset(found)


def _deterministic(nfa, start, end):
    first = nfa.closure([start])
    numbers = {frozenset(): 0, first: 1}
    order, rows = [frozenset(), first], []
    for states in order:
        row = []
        for byte in range(128):
            after = nfa.closure(to for state in states for allowed, to in nfa.steps[state] if byte in allowed)
            if after not in numbers:
                numbers[after] = len(order)
                order.append(after)
            row.append(numbers[after])
        rows.append(row)
        if len(order) > 20 * STATES_MAX:
            raise PatternError("needs too many states")
    return rows, [end in states for states in order]


def _minimized(rows, accepting):
    """Moore's: states are one until a byte tells them apart. Then bytes are one until a state tells them apart."""
    block = [int(accept) for accept in accepting]
    while True:
        numbers = {}
        finer = [numbers.setdefault((block[i], tuple(block[to] for to in row)), len(numbers))
                 for i, row in enumerate(rows)]
        if len(set(finer)) == len(set(block)):
            break
        block = finer
    # The dead state comes first, the start second; a pattern that matches nothing has them in one.
    if block[0] == block[1]:
        raise PatternError("matches nothing")
    order = list(dict.fromkeys(block))
    if len(order) > STATES_MAX:
        raise PatternError("needs too many states")
    of_block = {name: number for number, name in enumerate(order)}
    merged = [[of_block[block[to]] for to in rows[block.index(name)]] for name in order]
    columns = {}
    byte_class = [columns.setdefault(tuple(row[byte] for row in merged), len(columns)) for byte in range(128)]
    first_byte = [byte_class.index(number) for number in range(len(columns))]
    return Table(byte_class, [[row[byte] for byte in first_byte] for row in merged],
                 [accepting[block.index(name)] for name in order])
