/* SPDX-License-Identifier: MIT */
#include "delivery.h"

#include <errno.h>
#include <time.h>

static void lock(oc_delivery_t *delivery)
{
    (void)pthread_mutex_lock(&delivery->lock);
}

static void unlock(oc_delivery_t *delivery)
{
    (void)pthread_mutex_unlock(&delivery->lock);
}

/* Waits are measured by the monotonic clock, so that setting the time does not stretch them. */
static int init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attr;
    int rc = pthread_condattr_init(&attr);

    if (rc != 0)
        return rc;
    rc = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    if (rc == 0)
        rc = pthread_cond_init(condition, &attr);
    (void)pthread_condattr_destroy(&attr);
    return rc;
}

orgcast_err_t oc_delivery_init(oc_delivery_t *delivery, size_t queue_max_events,
                               void (*on_delivery)(void *context,
                                                   const orgcast_delivery_t *delivery),
                               void *context)
{
    *delivery = (oc_delivery_t){.on_delivery = on_delivery, .context = context};
    oc_queue_init(&delivery->queue, queue_max_events);
    if (pthread_mutex_init(&delivery->lock, NULL) != 0)
        return ORGCAST_E_NOMEM;
    if (init_condition(&delivery->changed) != 0) {
        (void)pthread_mutex_destroy(&delivery->lock);
        return ORGCAST_E_NOMEM;
    }
    return ORGCAST_OK;
}

void oc_delivery_done(oc_delivery_t *delivery)
{
    oc_queue_done(&delivery->queue);
    (void)pthread_cond_destroy(&delivery->changed);
    (void)pthread_mutex_destroy(&delivery->lock);
}

orgcast_err_t oc_delivery_put(oc_delivery_t *delivery, oc_item_t *item, bool *ret_wake)
{
    orgcast_err_t err = ORGCAST_OK;

    *ret_wake = false;
    lock(delivery);
    if (delivery->closing) {
        err = ORGCAST_E_CLOSED;
    } else if (!oc_queue_push(&delivery->queue, item)) {
        err = ORGCAST_E_FULL;
    } else {
        item->number = ++delivery->stats.emitted;
        *ret_wake = delivery->hungry;
        delivery->hungry = false;
    }
    unlock(delivery);
    return err;
}

/* Numbers rise along the queue, so its head is the oldest unanswered event. @locks */
static bool reported_through(const oc_delivery_t *delivery, uint64_t number)
{
    const oc_item_t *oldest = delivery->queue.head;

    return (!oldest || oldest->number > number) &&
           (delivery->reporting == 0 || delivery->reporting > number);
}

static struct timespec deadline_after(int64_t timeout_ms)
{
    struct timespec deadline = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += (time_t)(timeout_ms / 1000);
    deadline.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (deadline.tv_nsec >= 1000000000) {
        deadline.tv_nsec -= 1000000000;
        deadline.tv_sec++;
    }
    return deadline;
}

orgcast_err_t oc_delivery_flush(oc_delivery_t *delivery, int64_t timeout_ms)
{
    struct timespec deadline = deadline_after(timeout_ms > 0 ? timeout_ms : 0);
    orgcast_err_t err = ORGCAST_OK;
    uint64_t number;

    lock(delivery);
    number = delivery->stats.emitted;
    delivery->flushing++;
    while (!delivery->closing && !reported_through(delivery, number) && err == ORGCAST_OK) {
        if (timeout_ms < 0)
            (void)pthread_cond_wait(&delivery->changed, &delivery->lock);
        else if (pthread_cond_timedwait(&delivery->changed, &delivery->lock, &deadline) ==
                 ETIMEDOUT)
            err = ORGCAST_E_TIMEOUT;
    }
    if (delivery->closing)
        err = ORGCAST_E_CLOSED;
    else if (reported_through(delivery, number))
        err = ORGCAST_OK;
    delivery->flushing--;
    (void)pthread_cond_broadcast(&delivery->changed);
    unlock(delivery);
    return err;
}

void oc_delivery_stats(oc_delivery_t *delivery, orgcast_emitter_stats_t *ret_stats)
{
    lock(delivery);
    *ret_stats = delivery->stats;
    ret_stats->queued = delivery->queue.count;
    ret_stats->in_flight = delivery->queue.in_flight;
    unlock(delivery);
}

oc_item_t *oc_delivery_next(oc_delivery_t *delivery, size_t window)
{
    oc_item_t *item;

    lock(delivery);
    item = oc_queue_send(&delivery->queue, window);
    if (item) {
        if (item->sent_before)
            delivery->stats.retried++;
        item->sent_before = true;
    }
    delivery->hungry = !delivery->queue.unsent;
    unlock(delivery);
    return item;
}

bool oc_delivery_in_flight(oc_delivery_t *delivery)
{
    bool in_flight;

    lock(delivery);
    in_flight = delivery->queue.in_flight > 0;
    unlock(delivery);
    return in_flight;
}

/* Take the item out, report it, free it. Called with the lock, which it releases for the report:
 * the report may emit, and the place in the queue is free by then. */
static void finish(oc_delivery_t *delivery, oc_item_t *item, orgcast_delivery_status_t status,
                   int reason_code, int64_t now_ms)
{
    orgcast_delivery_t report = {
        .event_id = item->event_id,
        .organization_id = item->organization_id,
        .status = status,
        .reason_code = reason_code,
        .latency_ms = now_ms - item->emitted_ms,
    };

    oc_queue_remove(&delivery->queue, item);
    if (status == ORGCAST_DELIVERY_ACKNOWLEDGED)
        delivery->stats.acknowledged++;
    else if (status == ORGCAST_DELIVERY_REFUSED)
        delivery->stats.refused++;
    if (delivery->on_delivery) {
        delivery->reporting = item->number;
        unlock(delivery);
        delivery->on_delivery(delivery->context, &report);
        lock(delivery);
        delivery->reporting = 0;
    }
    if (delivery->flushing > 0)
        (void)pthread_cond_broadcast(&delivery->changed);
    oc_item_free(item);
}

bool oc_delivery_answered(oc_delivery_t *delivery, int mid, int reason_code, int64_t now_ms)
{
    oc_item_t *item;
    bool found;

    lock(delivery);
    item = oc_queue_find(&delivery->queue, mid);
    found = item != NULL;
    if (item)
        finish(delivery, item,
               reason_code >= OC_MQTT_FAILURE ? ORGCAST_DELIVERY_REFUSED
                                              : ORGCAST_DELIVERY_ACKNOWLEDGED,
               reason_code, now_ms);
    unlock(delivery);
    return found;
}

void oc_delivery_refused(oc_delivery_t *delivery, oc_item_t *item, int reason_code, int64_t now_ms)
{
    lock(delivery);
    finish(delivery, item, ORGCAST_DELIVERY_REFUSED, reason_code, now_ms);
    unlock(delivery);
}

void oc_delivery_connected(oc_delivery_t *delivery)
{
    lock(delivery);
    delivery->stats.connects++;
    delivery->stats.connected = true;
    unlock(delivery);
}

void oc_delivery_disconnected(oc_delivery_t *delivery)
{
    lock(delivery);
    delivery->stats.connected = false;
    oc_queue_rewind(&delivery->queue);
    delivery->hungry = false;
    unlock(delivery);
}

void oc_delivery_connect_failed(oc_delivery_t *delivery)
{
    lock(delivery);
    delivery->stats.connect_failures++;
    unlock(delivery);
}

void oc_delivery_close(oc_delivery_t *delivery)
{
    lock(delivery);
    delivery->closing = true;
    (void)pthread_cond_broadcast(&delivery->changed);
    while (delivery->flushing > 0)
        (void)pthread_cond_wait(&delivery->changed, &delivery->lock);
    unlock(delivery);
}

bool oc_delivery_closing(oc_delivery_t *delivery)
{
    bool closing;

    lock(delivery);
    closing = delivery->closing;
    unlock(delivery);
    return closing;
}

void oc_delivery_drop_all(oc_delivery_t *delivery, int64_t now_ms)
{
    lock(delivery);
    while (delivery->queue.head)
        finish(delivery, delivery->queue.head, ORGCAST_DELIVERY_DROPPED, -1, now_ms);
    unlock(delivery);
}
