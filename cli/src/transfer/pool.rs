//! A pool of bounded workers: at most so many jobs at once, in order, ended by the first error.

use crate::error::CliError;
use std::future::Future;
use tokio::task::JoinSet;

/// Runs `work` on every job, at most `workers` at once, each as a task of its own. The first error ends
/// it: jobs under way are cut off, those not begun are never begun.
///
/// # Errors
/// What the first failing job returned; [`CliError::Worker`] if one panicked.
pub async fn run<J, F, R>(
    jobs: impl IntoIterator<Item = J>,
    workers: usize,
    work: impl Fn(J) -> F,
    mut done: impl FnMut(R),
) -> Result<(), CliError>
where
    F: Future<Output = Result<R, CliError>> + Send + 'static,
    R: Send + 'static,
{
    let mut jobs = jobs.into_iter();
    let mut under_way = JoinSet::new();
    for job in jobs.by_ref().take(workers.max(1)) {
        under_way.spawn(work(job));
    }
    while let Some(joined) = under_way.join_next().await {
        let result = match joined {
            Ok(result) => result,
            Err(error) => Err(CliError::Worker {
                reason: error.to_string(),
            }),
        };
        match result {
            Ok(value) => done(value),
            Err(error) => {
                under_way.shutdown().await;
                return Err(error);
            }
        }
        if let Some(job) = jobs.next() {
            under_way.spawn(work(job));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn no_more_than_the_workers_run_at_once() {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut sum = 0;
        let work = |job: usize| {
            let (now, most) = (now.clone(), most.clone());
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(job)
            }
        };
        run(0..100, 3, work, |job| sum += job).await.unwrap();
        assert_eq!(sum, 4950);
        assert!(most.load(Ordering::SeqCst) <= 3);
    }

    #[tokio::test]
    async fn the_first_error_ends_it() {
        let begun = Arc::new(AtomicUsize::new(0));
        let work = |job: usize| {
            let begun = begun.clone();
            async move {
                begun.fetch_add(1, Ordering::SeqCst);
                if job == 5 {
                    Err(CliError::Interrupted)
                } else {
                    Ok(())
                }
            }
        };
        assert!(run(0..1000, 2, work, |()| ()).await.is_err());
        assert!(begun.load(Ordering::SeqCst) < 10);
    }
}
