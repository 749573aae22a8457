"""Slow, plain references of the searches: one row, one text at a time, without shared code for the search itself."""

from itt_jax.attack.constraints import stop_words
from itt_jax.attack.goals import MARGIN, UNTARGETED
from itt_jax.attack.search.greedy import UNKNOWN
from tests.attack.scripted import logits


class Counted:
    """The victim, asked one text at a time; counts queries."""

    def __init__(self, subject, budget=None):
        self.subject, self.budget, self.queries = subject, budget, 0

    def ask(self, text):
        """(1 - p(label), margin, whether the label is changed), or None where the budget is spent."""
        if self.queries == self.budget:
            return None
        self.queries += 1
        label, output = int(self.subject.label), [logits(text)]
        (score,), (reached,) = UNTARGETED.judge(self.subject, label, output)
        (margin,), _ = MARGIN.judge(self.subject, label, output)
        return score, margin, reached

    @property
    def over(self):
        return self.queries == self.budget


def pieces(subject):
    """Words as lists of clusters, and the strings between them."""
    words, between, last = [], [], 0
    for first, stop in subject.words:
        between.append("".join(subject.clusters[last:first]))
        words.append(list(subject.clusters[first:stop]))
        last = stop
    return words, [*between, "".join(subject.clusters[last:])]


def text_of(words, between):
    """The text of `pieces`."""
    text = ""
    for gap, word in zip(between, words, strict=False):
        text += gap + "".join(word)
    return text + between[-1]


def greedy(subject, counted, options, importance, most=None):
    """The word-importance ranking of TextAttack. `options(i)`: new forms of word i. `most`: words that may change."""
    changed = 0
    words, between = pieces(subject)
    score, _, _ = counted.ask(subject.text)
    stop = stop_words(subject.language)
    places = [i for i, word in enumerate(words) if "".join(word).lower() not in stop]
    ranked = []
    for i in places:
        other, gaps = list(words), list(between)
        if importance == "delete":
            other[i] = []
            if i == 0:
                gaps[1] = gaps[1][1:] if gaps[1][:1] == " " else gaps[1]
            else:
                gaps[i] = gaps[i][:-1] if gaps[i][-1:] == " " else gaps[i]
        else:
            other[i] = [UNKNOWN]
        if (heard := counted.ask(text_of(other, gaps))) is not None:
            ranked.append((-heard[0], len(ranked), i))
    for _, _, i in sorted(ranked):
        if counted.over or changed == most:
            break
        best = None
        for new in options(i):
            other = [*words[:i], [new], *words[i + 1 :]]
            heard = counted.ask(text_of(other, between))
            if heard is not None and (best is None or heard[0] > best[0]):
                best = (heard[0], other, heard[2])
        if best is not None and best[0] > score:
            (score, words, reached), changed = best, changed + 1
            if reached:
                break
    return text_of(words, between)


def charmer(subject, counted, alphabet, places, edits):
    """Charmer with the margin; flags of places kept in step with edits."""
    text, flags = list(subject.clusters), [1] * (2 * len(subject.clusters) + 1)
    counted.ask(subject.text)
    for _ in range(edits):
        probes = []
        for z in range(2 * len(text) + 1):
            if flags[z]:
                other = list(text)
                if z % 2 == 0:
                    other.insert(z // 2, " ")
                elif text[z // 2] == " ":
                    del other[z // 2]
                else:
                    other[z // 2] = " "
                if (heard := counted.ask("".join(other))) is not None:
                    probes.append((-heard[1], z))
        if counted.over or not probes:
            break
        best = None
        for _, z in sorted(probes)[:places]:
            for unit in ("", *alphabet):
                other, own = list(text), list(flags)
                if z % 2 == 0 and unit:
                    other.insert(z // 2, unit)
                    own[z:z] = [1, 1]
                elif z % 2 == 1 and unit:
                    other[z // 2] = unit
                    own[z] = 0
                elif z % 2 == 1:
                    del other[z // 2]
                    del own[z : z + 2]
                heard = counted.ask("".join(other))
                if heard is not None and (best is None or heard[1] > best[0]):
                    best = (heard[1], other, own)
        _, text, flags = best
        if counted.over or counted.ask("".join(text))[2] or counted.over:
            break
    return "".join(text)


def one_word(subject, counted, options):
    """Pruthi's attack with one word: all candidates of all words, the worst of them."""
    words, between = pieces(subject)
    counted.ask(subject.text)
    best = None
    for i, word in enumerate(words):
        if len(word) >= 4 and "".join(word).lower() not in stop_words(subject.language):
            for new in options(i):
                text = text_of([*words[:i], [new], *words[i + 1 :]], between)
                heard = counted.ask(text)
                if heard is not None and (best is None or heard[0] > best[0]):
                    best = (heard[0], text)
    return subject.text if best is None else best[1]


def beam(subject, counted, options, width):
    """TextAttack's beam search over words that were not changed yet."""
    words, between = pieces(subject)
    counted.ask(subject.text)
    texts, best = [(words, frozenset())], subject.text
    while not counted.over:
        made = []
        for own, changed in texts:
            for i in range(len(words)):
                if i not in changed:
                    for new in options(i):
                        other = [*own[:i], [new], *own[i + 1 :]]
                        if (heard := counted.ask(text_of(other, between))) is not None:
                            made.append((-heard[0], len(made), other, changed | {i}, heard[2]))
        if not made:
            break
        made.sort(key=lambda own: own[:2])
        best = text_of(made[0][2], between)
        if made[0][4]:
            break
        texts = [own[2:4] for own in made[:width]]
    return best


def hotflip(subject, counted, flips_of, search):
    """HotFlip's beam; `flips_of(text, each)`: what the gradient proposes."""
    best = (counted.ask(subject.text)[0], subject.text)
    texts = [subject.text]
    for _ in range(search.edits):
        if counted.over:
            break
        made = []
        for text in texts:
            made += [own for own in flips_of(text, search.each) if own not in made and own != subject.text]
        heard = [(counted.ask(own), own) for own in made]
        heard = [(own[0], text, own[2]) for own, text in heard if own is not None]
        for _, text, reached in heard:
            if reached:
                return text
        heard.sort(key=lambda own: -own[0])
        if heard[0][0] > best[0]:
            best = heard[0][:2]
        texts = [text for _, text, _ in heard[: search.width]]
    return best[1]


def evolution(subject, counted, places, search):
    """Differential evolution, one vector after the other; `places`: place -> (start, stop, new)."""
    counted.ask(subject.text)
    n, size, people = 2 * search.edits, search.population, {}

    def uniform(*context):
        return subject.draw(1 << 53, *context) / (1 << 53)

    def text_of_vector(vector):
        taken = []
        for k in range(search.edits):
            place = int(vector[2 * k] * (len(places) + 1))
            if place < len(places):
                edit = places[place][int(vector[2 * k + 1] * len(places[place]))]
                if not any(i in range(*own[:2]) for own in taken for i in range(*edit[:2])):
                    taken.append(edit)
        clusters = list(subject.clusters)
        for start, stop, new in sorted(taken, reverse=True):
            clusters[start:stop] = [new]
        return "".join(clusters)

    trials = [[uniform("first", i * n + j) for j in range(n)] for i in range(size)]
    for generation in range(search.generations + 1):
        if counted.over:
            break
        success = None
        for i, vector in enumerate(trials):
            text = text_of_vector(vector)
            if (heard := counted.ask(text)) is None:
                continue
            if success is None and heard[2]:
                success = text
            if i not in people or heard[0] >= people[i][0]:
                people[i] = (heard[0], text, vector)
        if success is not None:
            return success
        best = people[max(sorted(people), key=lambda i: people[i][0])]
        if counted.over:
            break
        scale, trials = 0.5 + 0.5 * uniform("scale", generation, 0), []
        for i in range(size):
            others = [k for k in range(size) if k != i]
            a = others.pop(subject.draw(len(others), "first parent", generation, i))
            b = others.pop(subject.draw(len(others), "second parent", generation, i))
            always, trial = subject.draw(n, "always", generation, i), []
            for j in range(n):
                value = best[2][j] + scale * (people[a][2][j] - people[b][2][j])
                if not 0 <= value < 1:
                    value = uniform("fresh", generation, i * n + j)
                crossed = uniform("cross", generation, i * n + j) < search.crossover or j == always
                trial.append(value if crossed else people[i][2][j])
            trials.append(trial)
    return best[1] if people else subject.text


def triggers(subjects, victim, tokenizer, reader, settings):
    """A universal trigger for each class: one place, one word, one text at a time."""

    def score(words, own):
        (output,) = victim.outputs([own.inputs(" ".join((*words, own.text)))], own.language)
        return UNTARGETED.judge(own, int(own.label), [output])[0][0]

    found = []
    for label in range(len(subjects[0].labels)):
        rows = [own for own in subjects if own.label == label]
        rows = [own for own in rows if victim.outputs([own.inputs(own.text)], own.language)[0].argmax() == label]
        rows = rows[: settings.rows]
        if not rows:
            found.append("")
            continue
        words = [settings.start] * settings.length
        best = sum(score(words, own) for own in rows) / len(rows)
        for _ in range(settings.rounds):
            texts = [own.inputs(own.text) for own in rows]
            proposed = reader.trigger_words(texts, 1, [label] * len(rows), words, settings.each, "en")
            improved = False
            for place in range(settings.length):
                tried = [[*words[:place], new, *words[place + 1 :]] for new in proposed[place]]
                means = [sum(score(own, row) for row in rows) / len(rows) for own in tried]
                if means and max(means) > best + 1e-7:
                    best, words, improved = max(means), tried[means.index(max(means))], True
            if not improved:
                break
        found.append(" ".join(words))
    return tuple(found)
