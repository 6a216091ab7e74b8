/* SPDX-License-Identifier: MIT */
#include "request.h"

#include "json.h"
#include "mem.h"

char *cli_request_text(const char *command, const char *correlation, json_t *members)
{
    OC_CLEANUP(oc_json_decrefp) json_t *object = json_object();
    OC_CLEANUP(oc_json_decrefp) json_t *request = NULL;

    if (!object || (members && json_object_update(object, members) != 0) ||
        json_object_set_new(object, "command", json_string(command)) != 0 ||
        json_object_set_new(object, "correlationData", json_string(correlation)) != 0)
        return NULL;
    request = json_pack("{s:[O]}", "commands", object);
    return request ? oc_json_dump(request) : NULL;
}
