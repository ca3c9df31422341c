//! What a step says, which may become known only after the next one was begun.

use std::future::ready;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::{RunError, Tally};
use crate::event::Event;

/// The event of a step, and what it adds to the sums of its epoch.
type Said = Result<(Event, Tally), RunError>;

/// What a step says, as soon as the device has its numbers.
pub struct Told(Pin<Box<dyn Future<Output = Said>>>);

impl Told {
    /// Asks at once: a device copies what it is asked for before whatever it is given to do afterwards.
    pub(super) fn asked(said: impl Future<Output = Said> + 'static) -> Self {
        let mut coming: Pin<Box<dyn Future<Output = Said>>> = Box::pin(said);
        match coming.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(said) => Self(Box::pin(ready(said))),
            Poll::Pending => Self(coming),
        }
    }

    /// What is known already.
    pub(super) fn now(said: (Event, Tally)) -> Self {
        Self(Box::pin(ready(Ok(said))))
    }

    /// Waits for it.
    ///
    /// # Errors
    /// [`RunError::Diverged`] if a loss is not finite, or if the device failed.
    pub(super) async fn said(self) -> Said {
        self.0.await
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future;
    use std::pin::pin;
    use std::rc::Rc;

    use super::*;
    use crate::event::{Warning, WarningCode};

    /// What it says, if it does not have to wait.
    fn said(told: Told) -> Option<Event> {
        match pin!(told.said()).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(said) => said.ok().map(|(event, _)| event),
            Poll::Pending => None,
        }
    }

    fn event() -> Event {
        let message = "said".to_owned();
        Event::Warning(Warning { epoch: 0, code: WarningCode::Reloaded, message })
    }

    #[test]
    fn it_is_asked_for_at_once_and_heard_when_it_comes() {
        let (asked, arrived) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
        let (count, there) = (asked.clone(), arrived.clone());
        let told = Told::asked(async move {
            future::poll_fn(|_| {
                count.set(count.get() + 1);
                if there.get() { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            Ok((event(), Tally::default()))
        });
        assert_eq!(asked.get(), 1);
        arrived.set(true);
        assert_eq!(said(told), Some(event()));
        assert_eq!(asked.get(), 2);
    }

    #[test]
    fn what_is_there_at_once_is_not_asked_for_again() {
        let told = Told::asked(ready(Ok((event(), Tally::default()))));
        assert_eq!(said(told), Some(event()));
    }
}
