/* SPDX-License-Identifier: MIT */
#include "queue.h"

#include <cJSON.h>
#include <stdlib.h>
#include <string.h>

oc_item_t *oc_item_new(orgcast_event_type_t type, const char *event_id, const char *organization_id,
                       const char *topic, char *payload, size_t payload_len)
{
    size_t organization_size = strlen(organization_id) + 1;
    size_t topic_size = strlen(topic) + 1;
    oc_item_t *item = calloc(1, sizeof *item + organization_size + topic_size);

    if (!item)
        return NULL;
    item->type = type;
    memcpy(item->event_id, event_id, sizeof item->event_id);
    item->organization_id = memcpy(item->text, organization_id, organization_size);
    item->topic = memcpy(item->text + organization_size, topic, topic_size);
    item->payload = payload;
    item->payload_len = payload_len;
    return item;
}

void oc_item_free(oc_item_t *item)
{
    if (!item)
        return;
    cJSON_free(item->payload);
    free(item);
}

void oc_queue_init(oc_queue_t *queue, size_t count_max)
{
    *queue = (oc_queue_t){.count_max = count_max};
}

void oc_queue_done(oc_queue_t *queue)
{
    while (queue->head) {
        oc_item_t *item = queue->head;

        oc_queue_remove(queue, item);
        oc_item_free(item);
    }
}

bool oc_queue_push(oc_queue_t *queue, oc_item_t *item)
{
    if (queue->count >= queue->count_max)
        return false;
    item->next = NULL;
    item->previous = queue->tail;
    if (queue->tail)
        queue->tail->next = item;
    else
        queue->head = item;
    queue->tail = item;
    if (!queue->unsent)
        queue->unsent = item;
    queue->count++;
    return true;
}

oc_item_t *oc_queue_send(oc_queue_t *queue, size_t window)
{
    oc_item_t *item = queue->unsent;

    if (!item)
        return NULL;
    if (queue->head != item && queue->last_sent_number + 1 - queue->head->sent_number >= window)
        return NULL;
    item->sent_number = ++queue->last_sent_number;
    queue->unsent = item->next;
    queue->in_flight++;
    return item;
}

oc_item_t *oc_queue_find(const oc_queue_t *queue, int mid)
{
    for (oc_item_t *item = queue->head; item != queue->unsent; item = item->next)
        if (item->mid == mid)
            return item;
    return NULL;
}

/* sent_number is 0 for what is not in flight. */
void oc_queue_remove(oc_queue_t *queue, oc_item_t *item)
{
    if (item->sent_number != 0)
        queue->in_flight--;
    if (queue->unsent == item)
        queue->unsent = item->next;
    if (item->previous)
        item->previous->next = item->next;
    else
        queue->head = item->next;
    if (item->next)
        item->next->previous = item->previous;
    else
        queue->tail = item->previous;
    item->previous = NULL;
    item->next = NULL;
    queue->count--;
}

void oc_queue_rewind(oc_queue_t *queue)
{
    for (oc_item_t *item = queue->head; item != queue->unsent; item = item->next) {
        item->sent_number = 0;
        item->mid = 0;
    }
    queue->unsent = queue->head;
    queue->in_flight = 0;
}
