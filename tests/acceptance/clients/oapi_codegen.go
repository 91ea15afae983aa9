// One round trip with the client that oapi-codegen makes: `go run . BASE_URL`.
package main

import (
	"context"
	"log"
	"net/http"
	"os"
	"strings"
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func check(right bool, what string, found ...any) {
	if !right {
		log.Fatal(append([]any{what, " "}, found...)...)
	}
}

func main() {
	ctx := context.Background()
	authorize := func(_ context.Context, request *http.Request) error {
		request.Header.Set("Authorization", "Bearer "+os.Getenv("TOKEN"))
		return nil
	}
	client, err := NewClientWithResponses(os.Args[1], WithRequestEditorFn(authorize))
	must(err)

	description := "cooks"
	created, err := client.RolesCreateWithResponse(ctx, RoleIn{Name: "cook", Description: &description})
	must(err)
	check(created.JSON201 != nil, "create", string(created.Body))
	id := created.JSON201.Data.Id

	page := 1
	listed, err := client.RolesListWithResponse(ctx, &RolesListParams{Page: &page})
	must(err)
	check(len(listed.JSON200.Data) == 1 && listed.JSON200.Data[0].Name == "cook", "list", string(listed.Body))
	read, err := client.RolesReadWithResponse(ctx, id)
	must(err)
	check(*read.JSON200.Data.Description == "cooks", "read", string(read.Body))
	check(!read.JSON200.Data.CreateTime.IsZero(), "read a time", string(read.Body))

	name := "chef"
	changed, err := client.RolesUpdateWithResponse(ctx, id, RolePatch{Name: &name})
	must(err)
	role := changed.JSON200.Data
	check(role.Name == "chef" && *role.Description == "cooks", "patch", string(changed.Body))

	taken, err := client.RolesCreateWithResponse(ctx, RoleIn{Name: "chef"})
	must(err)
	check(taken.StatusCode() == 409 && taken.JSON409.Code == 13001, "conflict", string(taken.Body))

	refused, err := client.RolesCreateWithResponse(ctx, RoleIn{Name: strings.Repeat("x", 200)})
	must(err)
	check(refused.StatusCode() == 422 && refused.JSON422 != nil, "invalid", string(refused.Body))

	gone, err := client.RolesDeleteWithResponse(ctx, id)
	must(err)
	check(gone.StatusCode() == 204 && len(gone.Body) == 0, "delete", string(gone.Body))
	missing, err := client.RolesReadWithResponse(ctx, id)
	must(err)
	check(missing.StatusCode() == 404 && missing.JSON404 != nil, "read what is gone", string(missing.Body))
}
