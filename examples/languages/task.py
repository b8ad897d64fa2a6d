"""How many steps a number takes until it is 1, by Collatz's rule."""


def task(number, ctx):
    steps = 0
    while number > 1:
        number = 3 * number + 1 if number % 2 else number // 2
        steps += 1
    return steps
