"""How many of so many random points lie in a circle: the oldest way to ask many hands for pi."""

import random


def task(input, ctx):
    # The same points in each attempt, and others in each task.
    chance = random.Random(ctx.index)
    inside = sum(chance.random() ** 2 + chance.random() ** 2 < 1 for _ in range(input))
    return {"points": input, "inside": inside}
