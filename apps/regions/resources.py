"""The endpoints of the regions service: provinces and cities."""

from apps.regions.errors import CityNameTaken, NoSuchProvince, ProvinceInUse, ProvinceNameTaken
from apps.regions.models import City
from apps.regions.schemas import CitySchema, ProvinceSchema
from msframework import Blueprint, ModelResource, NotFound, Resource, Scopes, doc

may_write = Scopes("regions:write").on("POST", "DELETE")
provinces = Blueprint(
    "provinces", url_prefix="/provinces", description="Where cities lie.", guards=(may_write,)
)
cities = Blueprint(
    "cities", url_prefix="/cities", description="Where users live.", guards=(may_write,)
)

CITIES = """
    SELECT cities.id, cities.name, cities.create_time,
           provinces.id AS province_id, provinces.name AS province_name,
           provinces.create_time AS province_create_time
      FROM cities JOIN provinces ON provinces.id = cities.province_id
"""


def embed_province(city):
    """Move the province's columns of a row of `CITIES` into an object of their own."""
    city["province"] = {
        "id": city.pop("province_id"),
        "name": city.pop("province_name"),
        "create_time": city.pop("province_create_time"),
    }
    return city


@provinces.collection("/", item="/<id:int>")
class Provinces(ModelResource):
    """Where cities lie; a province that still has cities stays."""

    schema = ProvinceSchema
    created_schema = {"id": int}
    actions = ("list", "create", "read", "delete")
    raises = {
        "provinces_name": ProvinceNameTaken,
        "cities_province_id_fkey": ProvinceInUse,
    }


@cities.resource("/")
class CityList(Resource):
    """All cities, each with its province."""

    @doc.summary("List cities")
    @doc.paginate(max_per_page=100)
    @doc.produces(CitySchema(many=True))
    async def get(self, request, page, cur):
        total = "SELECT count(*) FROM cities"
        result = await page.fetch(cur, f"{CITIES} ORDER BY cities.id", total=total)
        for city in result.rows:
            embed_province(city)
        return result

    @doc.summary("Create a city")
    @doc.consumes(CitySchema)
    @doc.produces({"id": int}, status=201)
    @doc.raises(NoSuchProvince, constraint="cities_province_id_fkey")
    @doc.raises(CityNameTaken, constraint="cities_province_id_name")
    async def post(self, request, body, tx):
        return await tx.fetchrow(City.insert(**body).returning(City.id))


@cities.resource("/<id:int>")
class CityDetail(Resource):
    """One city, with its province."""

    @doc.summary("Read a city")
    @doc.produces(CitySchema)
    @doc.raises(NotFound)
    async def get(self, request, id, cur):
        city = await cur.fetchrow(f"{CITIES} WHERE cities.id = $1", id)
        if city is None:
            raise NotFound(error=f"no city {id}")
        return embed_province(city)

    @doc.summary("Delete a city")
    @doc.produces(status=204)
    @doc.raises(NotFound)
    async def delete(self, request, id, tx):
        gone = await tx.fetchval("DELETE FROM cities WHERE id = $1 RETURNING id", id)
        if gone is None:
            raise NotFound(error=f"no city {id}")
