"""What is wrong with an object, as a policy collects it."""


class Verdict:
    def __init__(self):
        self.violations = []
        self.warnings = []

    def violation(self, rule, field, message, code=None):
        """A rule is broken: its name, the field (`spec.containers[0].image`, or empty), and what is wrong and would be right."""
        self.violations.append((rule, message, field, code))
        return self

    def warning(self, message):
        """Tells the caller something although nothing is wrong."""
        self.warnings.append(message)
        return self
