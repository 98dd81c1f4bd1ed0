//! The calls of policies as a histogram: by policy and outcome, in microseconds; and for how many nobody was called. Counts
//! nothing itself (`admission`).

use std::collections::HashMap;
use std::sync::Arc;

use admission::policy::Policies;
use admission::policy::metrics::BUCKETS_US;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Bucket, Counter, Histogram, LabelPair, Metric, MetricFamily, MetricType};

const NAME: &str = "gatehouse_policy_call_duration_microseconds";
const HELP: &str = "Calls of policies, by binding and outcome.";

const REMEMBERED: &str = "gatehouse_policy_answers_remembered_total";
const REMEMBERED_HELP: &str = "Answers of policies that were given again, because they would have been shown the same.";

/// Reads the counts when metrics are read.
pub(super) struct Calls {
    policies: Arc<Policies>,
    descriptions: [Desc; 2],
}

impl Calls {
    pub(super) fn new(policies: Arc<Policies>) -> prometheus::Result<Self> {
        let labels = vec!["policy".to_owned(), "outcome".to_owned()];
        let calls = Desc::new(NAME.to_owned(), HELP.to_owned(), labels, HashMap::new())?;
        let remembered = Desc::new(REMEMBERED.to_owned(), REMEMBERED_HELP.to_owned(), Vec::new(), HashMap::new())?;
        Ok(Self { policies, descriptions: [calls, remembered] })
    }
}

impl Collector for Calls {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let series = self.policies.metrics().snapshot();
        if series.is_empty() {
            return Vec::new();
        }
        let metrics = series.into_iter().map(|(policy, outcome, series)| {
            let mut histogram = Histogram::default();
            histogram.set_sample_count(series.count);
            histogram.set_sample_sum(series.sum_us as f64);
            let buckets = BUCKETS_US.iter().zip(series.buckets).map(|(bound, count)| {
                let mut bucket = Bucket::default();
                bucket.set_upper_bound(*bound as f64);
                bucket.set_cumulative_count(count);
                bucket
            });
            histogram.set_bucket(buckets.collect());
            let mut metric = Metric::default();
            // Labels stand sorted by name.
            metric.set_label(vec![label("outcome", outcome), label("policy", &policy)]);
            metric.set_histogram(histogram);
            metric
        });
        let calls = family((NAME, HELP), MetricType::HISTOGRAM, metrics.collect());
        vec![calls, remembered(self.policies.remembered())]
    }
}

fn remembered(count: u64) -> MetricFamily {
    let mut counter = Counter::default();
    counter.set_value(count as f64);
    let mut metric = Metric::default();
    metric.set_counter(counter);
    family((REMEMBERED, REMEMBERED_HELP), MetricType::COUNTER, vec![metric])
}

fn family((name, help): (&str, &str), of: MetricType, metrics: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(of);
    family.set_metric(metrics);
    family
}

fn label(name: &str, value: &str) -> LabelPair {
    let mut label = LabelPair::default();
    label.set_name(name.to_owned());
    label.set_value(value.to_owned());
    label
}
