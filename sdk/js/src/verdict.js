// What is wrong with an object, as a policy collects it.

export class Verdict {
  violations = [];
  warnings = [];

  /** A rule is broken: its name, the field (`spec.containers[0].image`, or empty), and what is wrong and would be right. */
  violation(rule, field, message, code = null) {
    this.violations.push({ rule, field, message, code });
    return this;
  }

  /** Tells the caller something although nothing is wrong. */
  warning(message) {
    this.warnings.push(message);
    return this;
  }
}
